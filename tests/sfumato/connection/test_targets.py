import pytest

from sfumato.connection.address import is_loopback
from sfumato.connection.targets import authority, each_address, grpc_target, stays_here
from sfumato.errors import SfumatoError


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:8001",
        "gpu:1",
        "dns:///gpu.example.org:1",
        "unix:/run/s",
        "ipv4:1.2.3.4:5,6.7.8.9:1",
    ],
)
def test_one_address_is_left_as_it_is(target: str) -> None:
    assert grpc_target(target) == target


def test_several_addresses_become_one_target() -> None:
    assert grpc_target("127.0.0.1:1,10.0.0.2:22") == "ipv4:127.0.0.1:1,10.0.0.2:22"
    assert grpc_target("127.0.0.1:1, 10.0.0.2:22") == "ipv4:127.0.0.1:1,10.0.0.2:22"
    assert grpc_target("[::1]:1,[::2]:22") == "ipv6:[::1]:1,[::2]:22"


def test_names_are_looked_up() -> None:
    assert grpc_target("localhost:1,127.0.0.1:2") == "ipv4:127.0.0.1:1,127.0.0.1:2"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("", "'' is no address; write HOST:PORT"),
        ("127.0.0.1:1,", "'' is no address; write HOST:PORT"),
        ("127.0.0.1:1,127.0.0.1", "'127.0.0.1' has no port; write 127.0.0.1:8001"),
        ("gpu.example.org", "'gpu.example.org' has no port; write gpu.example.org:8001"),
        ("localhost:", "'localhost:' has no port; write localhost:8001"),
        ("[::1]", "'[::1]' has no port; write [::1]:8001"),
        ("http://127.0.0.1:5", "'http://127.0.0.1:5' is a URL; write 127.0.0.1:5"),
        ("grpc://gpu/", "'grpc://gpu/' is a URL; write gpu:8001"),
        ("gpu:http", "'gpu:http' is no address; write HOST:PORT"),
        ("::1:5", "[HOST]:PORT where the host is an IPv6 number"),
        ("gpu:65536", "'gpu:65536' has a port that cannot be; ports are 1 to 65535"),
        ("gpu:0", "'gpu:0' has a port that cannot be"),
        ("127.0.0.1:1,127.0.0.1:99999", "'127.0.0.1:99999' has a port that cannot be"),
        ("127.0.0.1:1,::1:5", "'::1:5' is no address"),
        ("127.0.0.1:1,nobody.invalid:5", "cannot look up nobody.invalid: "),
        ("127.0.0.1:1,[::1]:5", "some have only IPv4 and some only IPv6"),
    ],
)
def test_wrong_addresses_are_named(target: str, reason: str) -> None:
    with pytest.raises(SfumatoError) as refusal:
        grpc_target(target)
    assert reason in str(refusal.value)


def test_a_certificate_must_name_the_first_of_several() -> None:
    assert authority("gpu.example.org:1") is None
    assert authority("gpu.example.org:1,gpu-2:2") == "gpu.example.org:1"
    assert authority("ipv4:1.2.3.4:5,6.7.8.9:1") == "1.2.3.4:5"


@pytest.mark.parametrize(
    ("target", "addresses"),
    [
        ("127.0.0.1:8001", ["127.0.0.1:8001"]),
        ("[::1]:5", ["[::1]:5"]),
        ("localhost:1", ["127.0.0.1:1", "[::1]:1"]),
        ("dns:///localhost:1", ["127.0.0.1:1", "[::1]:1"]),
        ("dns:localhost:1", ["127.0.0.1:1", "[::1]:1"]),
        ("gpu-1:1, gpu-2:2", ["gpu-1:1", "gpu-2:2"]),
        ("ipv4:1.2.3.4:5,6.7.8.9:1", ["ipv4:1.2.3.4:5", "ipv4:6.7.8.9:1"]),
        ("unix:/run/s", ["unix:/run/s"]),
        ("no such name:1", ["no such name:1"]),
    ],
)
def test_each_address_of_a_target_can_be_asked_by_itself(target: str, addresses: list[str]) -> None:
    assert each_address(target) == addresses


@pytest.mark.parametrize(
    ("target", "here"),
    [
        ("127.0.0.1:8001", True),
        ("127.1.2.3:8001", True),
        ("localhost:1", True),
        ("LOCALHOST:1", True),
        ("[::1]:5", True),
        ("unix:/run/sfumato", True),
        ("dns:///localhost:1", True),
        ("127.0.0.1:1,localhost:2", True),
        ("127.0.0.1:1,10.0.0.1:2", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("gpu.example.org:443", False),
        ("127.0.0.1.example.org:443", False),
        ("localhost.example.org:1", False),
        ("dns:///gpu:1", False),
        ("dns://127.0.0.1/gpu:1", False),
        ("0.0.0.0:1", False),
    ],
)
def test_only_loopback_addresses_stay_on_this_machine(target: str, here: bool) -> None:
    assert stays_here(target) is here


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("gpu", False),
        ("", False),
    ],
)
def test_a_host_is_loopback_or_not(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
