"""What strangers wrote: a sponsor's manifest makes nobody run a file, another user of the machine cannot stop a daemon or spoil
a file through it."""

import io
import os
import tempfile
from dataclasses import replace

import click
import pytest
from support.daemon_cluster import key_of
from support.evm import contract_types
from support.manifests import manifest

from fl.agents.runtime.journal import Identity, Journal, JournalError
from fl.errors import ManifestError, TaskError
from fl.log import Log
from fl.network.stores.local import LocalStore
from fl.network.stores.several import federation_store
from fl.protocol.artifact import Kind
from fl.protocol.leaves import root_of
from fl.tools.cli.network import Network
from fl.tools.federation import doctor
from fl.tools.federation import participate as command
from fl.tools.federation.doctor import Visit
from fl.tools.federation.first_model import first_model

pytestmark = pytest.mark.xdist_group("daemon")


@pytest.fixture
def trap(tmp_path):
    """A Python file, somewhere on the participant's disk (a shared store, say), that tells when it was run."""
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    return tmp_path / "trap.py"


@pytest.mark.parametrize("name", ["{}", "flower:{}", "table:{}?target=x"])
def test_manifest_that_names_a_file__does_not_run_it(cluster, trap, monkeypatch, name):
    stated = manifest(task=name.format(trap))
    monkeypatch.setattr(command, "federation_store", lambda terms, words, *rest: (cluster.store, stated))
    settings = command.Settings(
        cluster.system.federation.address, [str(cluster.store.path)], shard="0/4", seat=0, journal=cluster.folder / "trapped"
    )
    abi = contract_types()["Federation"].abi
    with pytest.raises(TaskError, match="which is not shipped: get its file, read it as the code that it is"):
        command.participate(settings, [cluster.url], abi, key_of(0), Log(io.StringIO()))
    visit = Visit(Network(click.Context(click.Command("doctor")), None), "", None, None, [], None, None)
    visit.reader, visit.manifest = object(), stated
    with pytest.raises(TaskError, match="which is not shipped"):
        doctor._task(visit)
    assert not (trap.parent / "sprung").exists()


@pytest.mark.parametrize("field, value", [("parameters", 1), ("max_exponent", 15)])
def test_manifest_whose_numbers_are_not_the_first_model_s__is_refused__before_anything_is_sent(cluster, field, value):
    """By a smaller number, every honest update would be malformed to everybody."""
    terms = cluster.system.terms
    with pytest.raises(TaskError, match=f"the manifest's {field} is {value}, and the first model's is"):
        first_model(cluster.task, replace(cluster.manifest, **{field: value}), terms)
    model = first_model(cluster.task, cluster.manifest, terms)
    assert root_of(model, Kind.MODEL) == terms.genesis


@pytest.mark.parametrize("field, value", [("parameters", 257), ("max_exponent", 15)])
def test_manifest_that_contradicts_the_terms__is_refused_by_every_reader(cluster, tmp_path, field, value):
    terms, store = cluster.system.terms, LocalStore(tmp_path)
    stated = replace(cluster.manifest, **{field: value})
    with pytest.raises(ManifestError, match=f"field {field} is {value}.* and the contract's terms say"):
        federation_store(replace(terms, manifest=store.put_manifest(stated)), [str(tmp_path)])


def test_manifest_with_a_wrong_cid__is_refused_by_the_name_of_the_field(cluster, tmp_path):
    terms, store = cluster.system.terms, LocalStore(tmp_path)
    digest = store.put_manifest(replace(cluster.manifest, genesis_cid="Qm-nonsense"))
    with pytest.raises(ManifestError, match="field genesis_cid: 'Qm-nonsense' is not a CID of version 1"):
        federation_store(replace(terms, manifest=digest), [str(tmp_path)])


@pytest.mark.parametrize("laid", ["link", "open"])
def test_folder_of_locks_that_another_user_laid__is_refused__and_nothing_is_written_through_it(tmp_path, monkeypatch, laid):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    victim, theirs = tmp_path / "1.salt", tmp_path / "theirs"
    victim.write_bytes(b"kept")
    theirs.mkdir()
    name = tmp_path / f"treaty-{os.getuid()}"
    Journal(tmp_path / "seat-0", Identity(1, "0x", "0x", 0)).close()
    (lock,) = name.iterdir()
    (theirs / lock.name).symlink_to(victim)
    lock.unlink()
    if laid == "link":
        name.rmdir()
        name.symlink_to(theirs)
    else:
        name.chmod(0o777)
    with pytest.raises(JournalError, match="must be a folder of your own that nobody else may write"):
        Journal(tmp_path / "seat-0", Identity(1, "0x", "0x", 0))
    assert victim.read_bytes() == b"kept"
