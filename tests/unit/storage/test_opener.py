from __future__ import annotations

import pytest

from storage import StorageError, open_storage


@pytest.mark.parametrize("uri", ["ftp://host/path", "mailto:someone", "azure://container/x"])
def test_an_unknown_kind_of_source_names_the_known_ones(uri: str) -> None:
    with pytest.raises(StorageError, match="Use a folder, https, gs://, s3:// or wheel:"):
        open_storage(uri)


def test_a_path_with_a_colon_free_relative_name_is_a_folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert open_storage(".").uri == "."
