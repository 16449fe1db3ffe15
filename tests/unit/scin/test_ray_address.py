"""A cluster that is not there is told at once."""

from __future__ import annotations

import socket

import pytest

from scin.build.shards import BuildError
from tests.tools import free_port, package_or_skip


@pytest.fixture(autouse=True)
def _ray() -> None:
    package_or_skip("ray", must="test the Ray engine", skipped="the address of a Ray cluster is not tested")


def test_nobody_at_the_address_is_one_clear_line() -> None:
    from scin.build.ray_engine import check_address

    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(BuildError, match=f"Nothing answers at RAY_ADDRESS={address}"):
        check_address(address)


@pytest.mark.parametrize("address", ["", "auto", "local", "ray://nowhere.invalid:1"])
def test_what_is_ray_s_own_to_find_is_left_to_it(address: str) -> None:
    from scin.build.ray_engine import check_address

    check_address(address)


def test_somebody_at_the_address_is_let_be() -> None:
    from scin.build.ray_engine import check_address

    with socket.create_server(("127.0.0.1", 0)) as listening:
        check_address(f"127.0.0.1:{listening.getsockname()[1]}")
