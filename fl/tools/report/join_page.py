"""The participant's page: join, top up, leave and claim with a wallet in the browser, after the terms in plain words.

Self-contained, so that anybody may keep or publish it; it talks only to the reader's wallet. The few calls are encoded by
the page's own script (templates/join.js), which a test compares with eth_abi.
"""

from __future__ import annotations

from fl.network.identity import Maker, foreign
from fl.protocol.terms import BURN_ADDRESS, ZERO_ADDRESS
from fl.tools.cli.amounts import worst_case
from fl.tools.report import text
from fl.tools.report.facts import Facts
from fl.tools.report.render import policy, render, script


def join_page(facts: Facts, maker: Maker | None = None) -> str:
    """The page for one federation, by default of this version's own factory."""
    terms, maker = facts.terms, maker or Maker.own()
    config = {
        "chainId": facts.chain_id,
        "federation": facts.federation,
        "token": terms.token,
        "decimals": facts.denomination.decimals,
        "symbol": facts.denomination.symbol,
        "minStake": str(terms.min_stake),
        "allowlist": any(terms.allowlist),
        # What the wallet's node must show before anything can be signed.
        "code": "0x" + maker.code(terms).hex(),
        "factory": maker.factory,
        "factoryCode": "0x" + maker.factory_code.hex(),
        "foreign": foreign(facts.federation, maker.factory),
        "admission": terms.admission != ZERO_ADDRESS,
        "deposits": str(terms.demands_to_pay() * terms.demand_deposit),
    }
    return render(
        "join.html",
        facts=facts,
        terms=terms,
        config=config,
        tokens=facts.denomination.show,
        least=facts.denomination.number(terms.min_stake),
        worst=worst_case(terms, facts.denomination),
        longest=text.lasting(terms.longest_round()),
        burn_address=BURN_ADDRESS,
        script=script("join.js"),
        policy=policy("join.js"),
    )
