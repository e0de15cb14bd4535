"""A log that somebody flooded is read whole, behind nodes that serve few logs or few blocks at a time, and only once."""

import pytest
from support.keys import key_of
from support.providers import narrow
from support.system import operator, owner

from fl.errors import ContractError
from fl.network import kept_logs
from fl.network.federation import FederationReader
from fl.network.rpc import NodeError, Rpc
from fl.tools.simulation.faulty_proxy import Proxy

FLOOD, SEAT, CAP = 11_000, 3, 10_000
HUGE = hex(2**40)


def capped(call, answer):
    """No more than 10,000 logs, as many providers have it."""
    if call["method"] == "eth_getLogs" and len(answer.get("result") or []) > CAP:
        said = {"code": -32005, "message": f"query returned more than {CAP} results"}
        return {"jsonrpc": "2.0", "id": call["id"], "error": said}
    return answer


def cut(call, answer):
    """The same without a word."""
    return {**answer, "result": answer["result"][:CAP]} if call["method"] == "eth_getLogs" else answer


def flood(cluster, events: int, by: str) -> None:
    """One block full of changes of operator, back and forth."""
    evm, federation = cluster.evm, cluster.system.federation
    evm.rpc("evm_setBlockGasLimit", HUGE)
    evm.rpc("anvil_setBalance", by, hex(10**24))
    names = [operator(SEAT), key_of(SEAT).address]
    calls = [federation.data("setOperator", SEAT, names[i % 2]) for i in range(500)]
    data = "0x" + federation.data("multicall", calls).hex()
    evm.rpc("evm_setAutomine", False)
    for _ in range(events // len(calls)):
        evm.rpc("eth_sendTransaction", {"from": by, "to": federation.address, "data": data, "gas": hex(16_000_000)})
    cluster.mine()
    evm.rpc("evm_setAutomine", True)
    cluster.mine(300)


@pytest.fixture(scope="module")
def flooded(built):
    flood(built, FLOOD, owner(SEAT))
    whole = reader(built, built.url).look().events
    assert len(whole) > FLOOD
    return built, whole


def reader(cluster, url: str) -> FederationReader:
    return FederationReader.open(Rpc([url], sleep=lambda _: None), cluster.system.federation.address)


@pytest.mark.parametrize("most", [None, 1_000, 50])
@pytest.mark.parametrize("change", [capped, cut])
def test_flood__is_read_whole__whatever_the_node_serves_at_once(flooded, most, change):
    cluster, whole = flooded
    with Proxy(cluster.url) as proxy:
        proxy.change = change
        proxy.refuse = narrow(most) if most else proxy.refuse
        assert reader(cluster, proxy.url).look().events == whole


def test_flood_in_one_block__behind_a_node_that_knows_no_receipts_of_blocks__is_told(flooded):
    cluster, _ = flooded
    with Proxy(cluster.url) as proxy:
        proxy.change = capped
        proxy.refuse = lambda call: (-32601, "the method does not exist") if "BlockReceipts" in call["method"] else None
        with pytest.raises(NodeError, match="more than 10000 results"):
            reader(cluster, proxy.url).look()


class Spans:
    """Which blocks a node was asked for logs of."""

    def __init__(self, proxy):
        self.asked = []
        proxy.refuse = self.note

    def note(self, call):
        if call["method"] == "eth_getLogs":
            self.asked.append(int(call["params"][0]["fromBlock"], 16))

    def take(self):
        self.asked, taken = [], self.asked
        return taken


@pytest.fixture
def kept(cluster, tmp_path):
    """(spans asked for, a new reader over the same file of logs, that file)."""
    path = tmp_path / "logs"
    with Proxy(cluster.url) as proxy:
        spans = Spans(proxy)

        def start():
            found = reader(cluster, proxy.url)
            found.keep(path)
            return found

        yield spans, start, path


def test_restart__reads_only_what_is_new(cluster, kept):
    spans, start, _ = kept
    first = start().look()
    assert spans.take()[0] <= first.events[0].block
    again = start().look()
    assert again.events == first.events and again.anew and min(spans.take(), default=10**9) > first.confirmed.number
    cluster.play_to_open()
    later = start().look()
    assert later.events == reader(cluster, cluster.url).look().events != first.events
    assert min(spans.take()) > first.confirmed.number
    assert start().look().events == later.events


def test_reorganised_chain__is_read_from_where_it_still_agrees(cluster, kept):
    spans, start, _ = kept
    start().look()
    mark = cluster.mark()
    cluster.play_to_open()
    start().look()
    cluster.back(mark)
    cluster.mine(50)
    spans.take()
    assert start().look().events == reader(cluster, cluster.url).look().events


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"",
        lambda data: b"\0" * len(data),
        lambda data: data[:-30],
        lambda data: data.replace(b'"0x', b'"0y', 1),
        lambda data: data[: len(data) // 2] + b"!" + data[len(data) // 2 :],
        lambda data: data.replace(b"31337", b"31338"),
        lambda data: b"[" * 100_000 + b"\n" + data,
    ],
    ids=["empty", "zeros", "torn", "changed", "grown", "another chain", "nested"],
)
def test_damaged_file__is_dropped_and_written_anew(cluster, kept, harm):
    _, start, path = kept
    whole = start().look().events
    good = path.read_bytes()
    path.write_bytes(harm(good))
    assert start().look().events == whole
    assert start().look().events == whole and path.read_bytes() == good


def test_file_of_another_federation__is_not_believed(cluster, kept):
    _, start, path = kept
    whole = start().look().events
    other = kept_logs.KeptLogs(path, (1, "0x", "0x", ""))
    assert other.load() == []
    other.add(kept_logs.Reading(5, "0x5", []))
    assert start().look().events == whole


def test_doubted_logs__are_fetched_again(cluster, kept):
    spans, start, _ = kept
    node = start()
    first = node.look()
    spans.take()
    node.forget()
    assert node.look().events == first.events and min(spans.take()) == node.start


def test_block_before_the_federation__is_told_as_such(cluster):
    node = reader(cluster, cluster.url)
    with pytest.raises(ContractError, match=r"had no code at block 0, which is as new as counts as confirmed.*call again"):
        node.read_all([("model", ())], at=node.block(0))
