"""What compiled files are tied to."""

from __future__ import annotations

from pathlib import Path

from ml.models.compiled import describe_processor, installed_version

X86 = (
    "processor\t: 0\nmodel name\t: Some CPU @ 2.5GHz\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\nmodel name\t: x\n"
)
ARM = "processor\t: 0\nFeatures\t: fp asimd\n"


def described(folder: Path, text: str) -> dict[str, str]:
    (folder / "cpuinfo").write_text(text)
    return describe_processor(folder / "cpuinfo")


def test_the_processor_and_its_instructions_count_and_the_order_of_flags_does_not(tmp_path: Path) -> None:
    here = described(tmp_path, X86)
    assert here["cpu"] == "Some CPU @ 2.5GHz"
    assert described(tmp_path, X86.replace("avx2 avx512f", "avx512f avx2")) == here
    assert described(tmp_path, X86.replace(" avx512f", ""))["instructions"] != here["instructions"]
    arm = described(tmp_path, ARM)["instructions"]
    assert described(tmp_path, ARM.replace("asimd", "asimd sve"))["instructions"] != arm


def test_without_the_kernels_file_there_is_still_an_answer(tmp_path: Path) -> None:
    assert set(describe_processor(tmp_path / "none")) == {"machine", "cpu", "instructions"}


def test_versions_are_told_without_importing() -> None:
    assert installed_version("pytorch")
    assert installed_version("tensorflow")
    assert installed_version("onnxruntime")
