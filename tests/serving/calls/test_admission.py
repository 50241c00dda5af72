import asyncio

import pytest

from serving.calls.admission import Admission
from serving.errors import NotServingError, QueueFullError


@pytest.fixture
async def admission() -> Admission:
    admission = Admission(2)
    admission.open()
    return admission


async def test_nobody_comes_in_before_the_door_is_opened() -> None:
    with pytest.raises(NotServingError, match="starting"):
        Admission(1).enter()


async def test_as_many_come_in_as_the_limit_allows(admission: Admission) -> None:
    admission.enter()
    admission.enter()
    with pytest.raises(QueueFullError, match="2 requests are inside"):
        admission.enter()
    assert admission.inside == 2


async def test_who_leaves_makes_room(admission: Admission) -> None:
    admission.enter()
    admission.enter()
    admission.leave()
    admission.enter()
    assert admission.inside == 2


async def test_a_closed_door_tells_the_reason(admission: Admission) -> None:
    admission.close("closing time")
    with pytest.raises(NotServingError, match="closing time"):
        admission.enter()
    with pytest.raises(NotServingError, match="closing time"):
        admission.check_open()


async def test_empty_waits_for_the_last_one(admission: Admission) -> None:
    admission.enter()
    admission.enter()
    waiting = asyncio.create_task(admission.empty())
    admission.leave()
    await asyncio.sleep(0)
    assert not waiting.done()
    admission.leave()
    await waiting


async def test_an_empty_server_is_empty_at_once(admission: Admission) -> None:
    await admission.empty()
