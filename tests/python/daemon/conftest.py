"""One street for each file of tests, put back after every test."""

import pytest
from street import Street


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    street = Street(tmp_path_factory.mktemp("street") / "street")
    yield street
    street.close()


@pytest.fixture
def street(built):
    mark = built.mark()
    yield built
    built.end()
    built.evm.rpc("evm_setAutomine", True)
    built.evm.rpc("anvil_dropAllTransactions")
    built.back(mark)
