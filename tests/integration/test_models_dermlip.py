"""A small CLIP vision transformer under open_clip's names goes the whole way: a folder, export, loading, embeddings.

It has the names and the shapes' relations of DermLIP ViT-B/16, with two narrow layers instead of twelve wide ones.
What it must compute is written down here once more, in numpy, from the papers' formulas.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.special import erf, softmax

from ml.errors import ArtifactError
from ml.models import registry
from ml.models.encoder import Encoder
from ml.models.loading import load_encoder
from ml.models.registry import DERMLIP
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from ml.values import RGB
from tests.integration.conftest import lesion_photo

WIDTH, HEADS, LAYERS, HIDDEN, PATCH, DIMENSION = 128, 2, 2, 256, 32, 24
TOKENS = (224 // PATCH) ** 2 + 1
SPEC: ModelSpec = replace(DERMLIP, output_dim=DIMENSION)
#: CLIP's published normalisation
MEAN, STD = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])

Weights = dict[str, np.ndarray]


def shapes() -> dict[str, tuple[int, ...]]:
    named: dict[str, tuple[int, ...]] = {
        "conv1.weight": (WIDTH, 3, PATCH, PATCH),
        "class_embedding": (WIDTH,),
        "positional_embedding": (TOKENS, WIDTH),
        "proj": (WIDTH, DIMENSION),
    }
    for norm in ("ln_pre", "ln_post"):
        named |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    for layer in range(LAYERS):
        block = f"transformer.resblocks.{layer}"
        named |= {
            f"{block}.attn.in_proj_weight": (3 * WIDTH, WIDTH),
            f"{block}.attn.in_proj_bias": (3 * WIDTH,),
            f"{block}.attn.out_proj.weight": (WIDTH, WIDTH),
            f"{block}.attn.out_proj.bias": (WIDTH,),
            f"{block}.mlp.c_fc.weight": (HIDDEN, WIDTH),
            f"{block}.mlp.c_fc.bias": (HIDDEN,),
            f"{block}.mlp.c_proj.weight": (WIDTH, HIDDEN),
            f"{block}.mlp.c_proj.bias": (WIDTH,),
        }
        for norm in ("ln_1", "ln_2"):
            named |= {f"{block}.{norm}.weight": (WIDTH,), f"{block}.{norm}.bias": (WIDTH,)}
    return named


@pytest.fixture(scope="module")
def weights() -> Weights:
    rng = np.random.default_rng(5)
    return {
        name: (
            rng.normal(0, 0.5 / np.sqrt(shape[-1]), shape) + (1.0 if "ln_" in name and "weight" in name else 0.0)
        ).astype(np.float32)
        for name, shape in shapes().items()
    }


def save_checkpoint(folder: Path, weights: Weights) -> str:
    """As open_clip saves it: the image tower under ``visual.``, beside the text tower."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    text = {"logit_scale": np.array(4.6, np.float32), "token_embedding.weight": np.zeros((8, 4), np.float32)}
    named = {f"visual.{name}": value for name, value in weights.items()}
    save_file(named | text, folder / "open_clip_model.safetensors")
    return str(folder)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model stands where DermLIP does."""
    monkeypatch.setitem(registry.SPECS, SPEC.name, SPEC)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def models(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    origin = save_checkpoint(tmp_path_factory.mktemp("origin") / "checkpoint", weights)
    assert ModelStore(folder).fetch(SPEC, origin)
    return folder


@pytest.fixture
def encoder(models: Path, known: None) -> Encoder:
    return load_encoder(models, SPEC.name, threads=1)


def layer_norm(values: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    centred = values - values.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(tokens: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """Multi-head self-attention (Vaswani et al. 2017)."""
    joined = tokens @ weights[f"{name}.in_proj_weight"].T + weights[f"{name}.in_proj_bias"]
    queries, keys, values = (part.reshape(TOKENS, HEADS, -1).swapaxes(0, 1) for part in np.split(joined, 3, axis=1))
    scores = softmax(queries @ keys.swapaxes(1, 2) / np.sqrt(WIDTH / HEADS), axis=-1)
    mixed = (scores @ values).swapaxes(0, 1).reshape(TOKENS, WIDTH)
    return mixed @ weights[f"{name}.out_proj.weight"].T + weights[f"{name}.out_proj.bias"]


def forward(pixels: np.ndarray, weights: Weights) -> np.ndarray:
    """(224, 224, 3), 0–255 → the image embedding (Dosovitskiy et al. 2021; Radford et al. 2021)."""
    image = (pixels / 255 - MEAN) / STD
    side = 224 // PATCH
    patches = image.reshape(side, PATCH, side, PATCH, 3).transpose(0, 2, 4, 1, 3).reshape(side * side, -1)
    embedded = patches @ weights["conv1.weight"].reshape(WIDTH, -1).T
    tokens = np.concatenate([weights["class_embedding"][None], embedded]) + weights["positional_embedding"]
    tokens = layer_norm(tokens, weights, "ln_pre")
    for layer in range(LAYERS):
        block = f"transformer.resblocks.{layer}"
        tokens = tokens + attention(layer_norm(tokens, weights, f"{block}.ln_1"), weights, f"{block}.attn")
        hidden = layer_norm(tokens, weights, f"{block}.ln_2") @ weights[f"{block}.mlp.c_fc.weight"].T
        hidden = hidden + weights[f"{block}.mlp.c_fc.bias"]
        gelu = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        tokens = tokens + gelu @ weights[f"{block}.mlp.c_proj.weight"].T + weights[f"{block}.mlp.c_proj.bias"]
    vector = layer_norm(tokens[0], weights, "ln_post") @ weights["proj"]
    return vector / np.linalg.norm(vector)


def test_embeddings_are_those_of_the_formulas(encoder: Encoder, weights: Weights) -> None:
    photos = [lesion_photo(224, 224, seed) for seed in range(3)]
    found = encoder.embed(photos)
    assert found.shape == (3, DIMENSION)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    for vector, photo in zip(found, photos, strict=True):
        assert np.abs(vector - forward(photo.astype(np.float64), weights)).max() < 1e-5
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_photos_are_cut_to_their_centre_and_resized(encoder: Encoder, weights: Weights) -> None:
    photo: RGB = lesion_photo(448, 300, seed=4)
    scaled = cv2.resize(photo.astype(np.float32), (round(448 * 224 / 300), 224), interpolation=cv2.INTER_CUBIC)
    left = (scaled.shape[1] - 224) // 2
    (found,) = encoder.embed([photo])
    assert np.abs(found - forward(scaled[:, left : left + 224], weights)).max() < 1e-4


def test_the_golden_vector_is_recorded_and_holds(models: Path, encoder: Encoder) -> None:
    manifest = ModelStore(models).verify(SPEC)
    assert manifest.golden is not None
    assert len(manifest.golden) == DIMENSION
    assert encoder.fingerprint == manifest.fingerprint


def test_a_checkpoint_of_another_architecture_is_refused(weights: Weights, tmp_path: Path) -> None:
    """A residual network's tower has no transformer; one with a layer too few has a hole."""
    other = {name: value for name, value in weights.items() if "resblocks.0" not in name}
    resnet = {"layer1.0.conv1.weight": np.zeros((4, 4, 1, 1), np.float32)}
    for number, parameters in enumerate((other, resnet)):
        origin = save_checkpoint(tmp_path / str(number), parameters)
        with pytest.raises(ArtifactError, match="cannot be converted"):
            ModelStore(tmp_path / "models").fetch(SPEC, origin)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(ArtifactError, match="cannot be converted"):
        ModelStore(tmp_path / "models").fetch(SPEC, str(tmp_path))
    assert not ModelStore(tmp_path / "models").folder(SPEC).exists()
