"""What is served instead of ``auto``: the best index, its own encoder, and both from a remote address."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ml.models.registry import EFFICIENTNET_LITE0, SKLESION, find
from ml.models.store import ModelStore
from scin.index.manifest import replace_folder
from settings import Settings
from storage.base import sha256_file
from tests.unit.ml.trained_folders import write_folder as write_encoder
from tests.unit.web.test_boot import settings, write_index, write_model
from web.boot import BootError, begin_generation, check_boot, fetch_index, prepare_encoder, served


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """A folder with the general models and the sample."""
    var = tmp_path / "var"
    for spec in (EFFICIENTNET_LITE0, SKLESION):
        write_model(var / "models", spec)
    write_index(var / "index" / "sample")
    return var


def write_trained(folder: Path, **changes: Any) -> Path:
    """A real index with its own encoder."""
    encoder = write_encoder(folder / "encoder")
    folder.joinpath("index.faiss").write_bytes(b"vectors")
    names = [path.relative_to(folder).as_posix() for path in sorted(encoder.iterdir())]
    fingerprint = ModelStore(folder).manifest(find(str(encoder))).fingerprint
    files = {name: sha256_file(folder / name) for name in [*names, "index.faiss"]}
    staged = folder.with_name(f"{folder.name}.tmp")
    write_index(staged, synthetic=False, encoder="mine", encoder_fingerprint=fingerprint, files=files, **changes)
    (staged / "manifest.json").rename(folder / "manifest.json")
    (staged / "index.faiss").unlink()
    staged.rmdir()
    return folder


def test_a_real_index_is_served_with_the_encoder_that_made_it(var: Path) -> None:
    write_index(var / "index" / "scin", synthetic=False)
    chosen = served(settings(var))
    assert (chosen.index_folder, chosen.encoder) == (var / "index" / "scin", EFFICIENTNET_LITE0.name)
    trained = write_trained(var / "index" / "scin-trained", cases=2)
    chosen = check_boot(settings(var))
    assert (chosen.index_folder, chosen.encoder) == (trained, str(trained / "encoder"))


def test_an_encoder_that_is_named_must_have_made_the_index(var: Path) -> None:
    write_trained(var / "index" / "scin")
    assert served(settings(var, encoder=EFFICIENTNET_LITE0.name)).index_folder.name == "sample"
    with pytest.raises(BootError, match="another encoder"):
        check_boot(settings(var, encoder=EFFICIENTNET_LITE0.name, index="scin"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"dimension": 256}, "256 dimensions"), ({"encoder": "derm-foundation"}, "6144"), ({"encoder": "no"}, "Known:")],
)
def test_an_index_that_cannot_be_served_is_skipped(
    change: dict[str, Any], reason: str, var: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_index(var / "index" / "scin", synthetic=False, **change)
    assert check_boot(settings(var)).index_folder.name == "sample"
    (told,) = [record.getMessage() for record in caplog.records if "is not served" in record.getMessage()]
    assert reason in told


def test_a_damaged_encoder_in_an_index_is_noticed(var: Path) -> None:
    folder = write_trained(var / "index" / "scin")
    (folder / "encoder" / "encoder.pt2").write_bytes(b"altered")
    assert served(settings(var)).index_folder.name == "sample"
    with pytest.raises(BootError, match=r"encoder\.pt2"):
        check_boot(settings(var, index="scin"))


def test_a_generation_keeps_its_index_and_encoder_while_they_are_replaced(var: Path, tmp_path: Path) -> None:
    folder = write_trained(var / "index" / "scin", cases=2)
    first = begin_generation(settings(var))
    new = write_trained(tmp_path / "new", cases=3)
    replace_folder(folder, new, aside=tmp_path / "aside")
    second = begin_generation(settings(var))
    for generation in (first, second):
        pinned = generation.settings
        assert pinned.encoder == str(pinned.index_folder / "encoder")
        assert check_boot(pinned) == pinned
        generation.release()
    assert first.settings.index_folder != second.settings.index_folder
    assert not first.settings.index_folder.exists()
    assert sorted(path.name for path in (var / "index").iterdir()) == ["sample", "scin"]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a web server on this machine that has an index with its own encoder."""
    write_trained(tmp_path / "published" / "scin")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "published"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/scin"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_remote_index_brings_its_encoder(var: Path, address: str) -> None:
    chosen = check_boot(settings(var, index=address))
    assert chosen.encoder == str(chosen.index_folder / "encoder")
    assert ModelStore(var / "models").verify(find(chosen.encoder)).name == "mine"


def test_a_remote_encoder_that_was_altered_leaves_nothing(var: Path, address: str, tmp_path: Path) -> None:
    (tmp_path / "published" / "scin" / "encoder" / "encoder.pt2").write_bytes(b"altered on the way")
    chosen = settings(var, index=address)
    with pytest.raises(BootError, match="could not be fetched"):
        check_boot(chosen)
    assert [path.name for path in (var / "index").iterdir()] == ["sample"]


@pytest.mark.parametrize("name", ["../../evil", "encoder/../../../evil", "/evil", "{folder}/evil"])
def test_a_remote_index_writes_nothing_outside_its_folder(name: str, var: Path, address: str, tmp_path: Path) -> None:
    name = name.format(folder=var)
    (tmp_path / "published" / "evil").write_bytes(b"evil")
    digest = sha256_file(tmp_path / "published" / "evil")
    manifest = tmp_path / "published" / "scin" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"files": {', f'"files": {{"{name}": "{digest}",'))
    with pytest.raises(BootError, match="outside its folder"):
        check_boot(settings(var, index=address))
    assert not list(var.rglob("evil"))


def test_preparing_compiles_only_an_encoder_that_lies_in_the_index(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_encoder(settings(var))
    assert capsys.readouterr().out == ""
    write_trained(var / "index" / "scin")
    prepare_encoder(settings(var, engine="native"))
    assert capsys.readouterr().out == ""
    prepare_encoder(settings(var))
    assert capsys.readouterr().out.startswith("mine: runs natively")  # its weights are a few bytes


def test_nothing_is_chosen_where_no_model_runs(tmp_path: Path) -> None:
    chosen = Settings(var=tmp_path, ml_available=False)
    assert begin_generation(chosen).settings == chosen
    assert not list(tmp_path.iterdir())


def test_a_fetched_index_is_not_fetched_again(var: Path, address: str, tmp_path: Path) -> None:
    chosen = settings(var, index=address)
    folder = fetch_index(chosen)
    (tmp_path / "published" / "scin" / "manifest.json").unlink()
    assert fetch_index(chosen) == folder
