"""Which lane each test runs in: `make check` runs the fast ones, `make test` those and the full ones, `make nightly` the rest.

This is the only place that says so. A name is a folder, a file or a function of a file, relative to tests/; the longest that
fits a test decides, and a test that no name fits is full. So nothing can fall out of all three.
"""

from __future__ import annotations

import enum


class Lane(enum.StrEnum):
    FAST = "fast"  # make check: what every change deserves; no process of its own, no node, no training to speak of
    FULL = "full"  # make test, together with the fast ones
    NIGHTLY = "nightly"  # make nightly: independent second implementations, mutants, long campaigns


# What each command of the Makefile gives to pytest's -m.
SELECTION = {"check": "fast", "test": "not nightly", "nightly": "nightly"}

# The campaigns that are no tests of pytest: the file, and the target of the Makefile that `make nightly` calls for it.
CAMPAIGNS = {
    "stateful/deep.py": "deep",
    "quality/mutation/campaign.py": "mutants",
    "forge/proofs/prove.py": "prove",
    "forge/coverage.py": "coverage",
    "e2e/browser/check_join.py": "browser",
    "e2e/browser/check_report.py": "browser",
    "e2e/browser/check_watch.py": "browser",
    "e2e/kubo/check.py": "kubo",
    "e2e/hardhat/hardhat_round.py": "hardhat",
    "e2e/brought/libraries.py": "brought",
    "fuzz/run.py": "fuzz",
}

LANES: dict[str, Lane] = {
    "attacks": Lane.FAST,
    "contracts": Lane.FAST,
    "e2e/docs/test_pages.py::test_page__its_links_lead_somewhere": Lane.FAST,
    "e2e/docs/test_pages.py::test_page__its_make_targets_exist": Lane.FAST,
    "e2e/docs/test_service_files.py": Lane.FAST,
    "e2e/docs/test_service_files.py::test_image__is_built": Lane.NIGHTLY,
    "e2e/stories": Lane.FAST,
    # A host's process, and daemons of a real node: 10 seconds for each kill.
    "e2e/hosts/test_hosts_at_fault.py::test_host_killed_in_each_phase__costs_seats_with_ether_nothing": Lane.NIGHTLY,
    "e2e/walks": Lane.NIGHTLY,  # minutes of a chain's own clock
    "fl": Lane.FAST,
    # Daemons on a node of their own.
    "fl/agents/runtime": Lane.FULL,
    "fl/agents/runtime/test_kill.py": Lane.NIGHTLY,
    "fl/agents/runtime/test_flood.py::test_flood__is_read_whole__whatever_the_node_serves_at_once": Lane.NIGHTLY,
    "e2e/stories/test_hidden_model.py": Lane.FULL,
    # Training, or a peak of memory that is measured in a process of its own.
    "fl/agents/record/test_memory.py": Lane.FULL,
    "fl/learning/privacy": Lane.FULL,
    "fl/learning/research": Lane.FULL,
    "fl/learning/test_foreign_tasks.py": Lane.FULL,
    "fl/learning/test_local_layers.py": Lane.FULL,
    "fl/learning/test_uncertainty.py": Lane.FULL,
    "fl/protocol/test_stream.py": Lane.FULL,
    "fl/tools/model": Lane.FULL,
    "fl/tools/research": Lane.FULL,
    # A command's process, a server, or a node.
    "fl/network/stores/test_remote.py": Lane.FULL,
    "fl/network/test_ape_accounts.py": Lane.FULL,
    "fl/network/test_explorer.py::test_submission__compiles_to_the_code_on_the_chain": Lane.NIGHTLY,  # compiles for minutes
    "fl/network/test_explorer.py::test_code_without_the_metadata_settings__is_another": Lane.NIGHTLY,
    "fl/test_public_face.py::test_notebook__goes_from_a_table_to_a_model__in_any_folder": Lane.FULL,
    "fl/tools/host": Lane.FULL,
    "fl/tools/report/test_watch.py": Lane.FULL,
    "fl/tools/simulation/test_up.py::test_three_tables__become_one_model__which_another_run_carries_on": Lane.FULL,
    # The Solidity suite is written apart from this one: it compiles for a minute, and finds what both would have to miss.
    "forge": Lane.NIGHTLY,
    # The contracts compiled with other steps, a minute each.
    "quality/compiler/test_stale_addresses.py::test_steps__are_those_of_the_release": Lane.NIGHTLY,
    "quality/compiler/test_stale_addresses.py::test_no_contract__has_the_pattern_where_the_step_acts": Lane.NIGHTLY,
    "quality/guards": Lane.FAST,
    "quality/guards/test_static.py": Lane.FULL,
    "stateful/test_negative_controls.py": Lane.NIGHTLY,
    "twins": Lane.FAST,
    "twins/test_fraud_campaign.py": Lane.FULL,
}


def fitting(file: str, function: str) -> str | None:
    """The name in LANES that decides for a test, or none; `file` is relative to tests/."""
    parts = file.split("/")
    names = [f"{file}::{function}", *("/".join(parts[:n]) for n in range(len(parts), 0, -1))]
    return next((name for name in names if name in LANES), None)


def lane_of(file: str, function: str) -> Lane:
    name = fitting(file, function)
    return LANES[name] if name else Lane.FULL
