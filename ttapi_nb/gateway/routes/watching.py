"""For whoever runs a gateway: `/health`, and `/metrics` in Prometheus' text. Nothing of people is in either."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..database import LedgerError
from ..gate import gate_of

__all__ = ["ROUTES"]

STATES = ("reserved", "sent", "settled", "unknown", "refused", "not sent", "failed")
QUANTILES = (0.5, 0.95)


async def health(request: Request) -> Response:
    """Whether the ledger can be written, as without it nothing is sent."""
    gate = gate_of(request)
    try:
        await gate.carrier.call(gate.carrier.ledger.runs.states)
    except LedgerError:
        return JSONResponse({"status": "the ledger can't be used"}, 503)
    return JSONResponse({"status": "ok"})


async def metrics(request: Request) -> Response:
    """Runs by state, the queue, and how long the service takes."""
    gate = gate_of(request)
    carrier = gate.carrier
    try:
        states = await carrier.call(carrier.ledger.runs.states)
    except LedgerError:
        return PlainTextResponse("# The ledger can't be used.\n", 503)
    lines = [
        "# HELP ttapi_gateway_runs Runs in the ledger by state.",
        "# TYPE ttapi_gateway_runs gauge",
        *(f'ttapi_gateway_runs{{state="{state}"}} {states.get(state, 0)}' for state in STATES),
        "# HELP ttapi_gateway_waiting Runs of this gateway that wait for their turn.",
        "# TYPE ttapi_gateway_waiting gauge",
        f"ttapi_gateway_waiting {sum(not flight.taken for flight in carrier.flights.values())}",
        "# HELP ttapi_gateway_not_admitted_total Requests that limits or rules refused.",
        "# TYPE ttapi_gateway_not_admitted_total counter",
        f"ttapi_gateway_not_admitted_total {carrier.counts['not admitted']}",
        "# HELP ttapi_gateway_service_seconds How long the service took for the latest runs.",
        "# TYPE ttapi_gateway_service_seconds summary",
    ]
    times = sorted(carrier.seconds)
    for share in QUANTILES:
        if times:
            value = times[min(len(times) - 1, int(share * len(times)))]
            lines.append(f'ttapi_gateway_service_seconds{{quantile="{share}"}} {value:.3f}')
    lines += [
        f"ttapi_gateway_service_seconds_sum {sum(times):.3f}",
        f"ttapi_gateway_service_seconds_count {len(times)}",
    ]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


ROUTES = [Route("/health", health), Route("/metrics", metrics)]
