"""LiteLLM's budgets that need no database, under many requests: run by the Python that has `litellm`, not by ours.

    python litellm_in_memory.py router|manager URL REQUESTS THREADS LIMIT

`router` makes pictures through its Router under a provider's budget; `manager` talks through `completion` as the page
on BudgetManager has it: look at what was spent, ask, add what it cost.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import litellm  # type: ignore[import-not-found]  # it is no package of ours

USER = "class"
ROOM = {"api_key": "x", "num_retries": 0}


async def through_router(url: str, requests: int, threads: int, limit: float) -> None:
    """One budget for the provider, in the Router's memory."""
    chosen = {"model": "openai/gpt-image-1", "api_key": "x", "api_base": url}
    router = litellm.Router(
        model_list=[{"model_name": "gpt-image-1", "litellm_params": chosen}],
        provider_budget_config={"openai": {"budget_limit": limit, "time_period": "1d"}},
        num_retries=0,
    )
    turn = asyncio.Semaphore(threads)

    async def ask(number: int) -> None:
        async with turn:
            await router.aimage_generation(model="gpt-image-1", prompt=f"bowl {number}")
            if threads == 1:
                # What it cost is added behind its back.
                await asyncio.sleep(0.3)

    await asyncio.gather(*(ask(number) for number in range(requests)), return_exceptions=True)


def through_manager(url: str, requests: int, threads: int, limit: float) -> None:
    """One budget for the class, in BudgetManager's memory."""
    manager = litellm.BudgetManager(project_name="race", client_type="local")
    manager.create_budget(total_budget=limit, user=USER)

    def ask(number: int) -> None:
        if manager.get_current_cost(user=USER) <= manager.get_total_budget(USER):
            said = [{"role": "user", "content": f"bowl {number}"}]
            answer = litellm.completion(model="openai/gpt-4o", api_base=url, messages=said, **ROOM)
            manager.update_cost(completion_obj=answer, user=USER)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(requests)))


if __name__ == "__main__":
    what, url = sys.argv[1:3]
    given = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    if what == "router":
        asyncio.run(through_router(url, *given))
    else:
        through_manager(url, *given)
