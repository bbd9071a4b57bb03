"""Writers of one process come in as they came."""

import threading

from ris.base.turnstile import Turnstile
from tests.waiting import until


def test_those_who_wait_come_in_in_the_order_in_which_they_came():
    turnstile, came_in = Turnstile(), []

    def pass_through(number):
        assert turnstile.enter(10)
        came_in.append(number)
        turnstile.leave()

    assert turnstile.enter(0)
    threads = [threading.Thread(target=pass_through, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads):
        thread.start()
        until(lambda number=number: turnstile.waiting == number + 1)
    turnstile.leave()
    for thread in threads:
        thread.join(10)
    assert came_in == [0, 1, 2, 3, 4]
    assert turnstile.enter(0)


def test_who_has_waited_long_enough_goes_and_leaves_no_gap():
    turnstile = Turnstile()
    assert turnstile.enter(0)
    assert not turnstile.enter(0.01)
    assert turnstile.waiting == 0
    turnstile.leave()
    assert turnstile.enter(0)
