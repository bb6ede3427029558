"""Every teacher of the table keeps the same contract, with random weights; real ones where no network is needed."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from brew import files
from brew.errors import BrewError
from brew.models import teacher_networks
from brew.models.miniature_teacher import (
    LARGEST_FILE,
    MiniatureViT,
    TeacherFeatures,
    hash_file,
    load_miniature_teacher,
    save_miniature_teacher,
    token_features,
)
from brew.models.teachers import TEACHERS, OpticalTeacher, TeacherUnavailable, load_teacher
from brew.sensors import SENSORS


class Spy(nn.Module):
    """Keeps what it was given; its features are the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.seen = torch.empty(0)

    def forward(self, images: torch.Tensor) -> TeacherFeatures:
        self.seen = images
        return TeacherFeatures(images.mean((2, 3)), images, images[:, :2])


def seen_by(teacher: OpticalTeacher) -> torch.Tensor:
    assert isinstance(teacher.network, Spy)
    return teacher.network.seen


def spy_teacher(multiple: int = 1, name: str = "spy") -> OpticalTeacher:
    return OpticalTeacher(name, Spy(), (0.1, 0.2, 0.3), (0.5, 0.25, 2.0), 3, 3, 2, multiple, centred=True)


@pytest.fixture(scope="module", params=list(TEACHERS))
def built(request: pytest.FixtureRequest) -> Iterator[OpticalTeacher]:
    """Each entry's network with random weights, one at a time: a ViT-L has 300 million of them."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Linear, "reset_parameters", lambda _: None)  # timm's own initialisation follows: half the time
        teacher = TEACHERS[request.param].build(random=True)
    yield teacher
    del teacher
    gc.collect()


def test_the_entry_declares_what_the_network_gives(built: OpticalTeacher) -> None:
    entry = TEACHERS[built.name]
    side = 2 * entry.multiple if entry.multiple > 1 else 32
    features = built(torch.rand(2, 3, side, 2 * side))
    assert entry.sensor in SENSORS
    assert features.class_token.shape == (2, entry.width) == (2, built.width)
    assert features.late.shape[:2] == (2, entry.late_width) == (2, built.late_width)
    assert features.middle.shape[:2] == (2, entry.middle_width) == (2, built.middle_width)
    for grid in (features.late.shape[2:], features.middle.shape[2:]):
        assert grid[1] == 2 * grid[0]
    if entry.multiple > 1:
        assert features.late.shape[2:] == (side // entry.multiple, 2 * side // entry.multiple)
    for value in (features.class_token, features.late, features.middle):
        assert value.isfinite().all() and not value.requires_grad and value.dtype == torch.float32
    assert (features.class_token[0] - features.class_token[1]).abs().max() > 0


def test_the_teacher_is_frozen(built: OpticalTeacher) -> None:
    nn.Sequential(built).train()
    assert not any(module.training for module in built.modules())
    assert not any(parameter.requires_grad for parameter in built.parameters())


def test_a_convolutional_network_has_maps_at_four_strides_and_a_transformer_has_none(built: OpticalTeacher) -> None:
    side = 8 * built.multiple if built.multiple > 1 else 160
    images = torch.rand(2, 3, side, side)
    maps = built.pyramid(images)
    if built.name != "imagenet":
        assert maps is None
        return
    assert maps is not None
    assert [side // each.shape[-1] for each in maps] == [4, 8, 16, 32]
    raw = built.network(built.prepared(images))
    assert torch.equal(maps[2], raw.middle) and torch.equal(maps[3], raw.late)


def test_a_transformer_norms_both_layers_and_drops_what_is_no_patch(built: OpticalTeacher) -> None:
    vit = getattr(built.network, "vit", None)
    if vit is None:
        pytest.skip("not a transformer")
    depth, middle = len(vit.blocks), built.network.middle
    assert middle == {6: 4, 12: 8, 24: 15}[depth]
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        vit.blocks[middle].register_forward_hook(lambda _, __, output: seen.update(middle=output)),
        vit.blocks[-1].register_forward_hook(lambda _, __, output: seen.update(late=output)),
    ]
    size = built.multiple
    features = built(torch.rand(1, 3, 2 * size, 3 * size))
    for hook in hooks:
        hook.remove()
    for name, tokens in seen.items():
        normed = vit.norm(tokens)
        assert tokens.shape[1] == vit.num_prefix_tokens + 6
        torch.testing.assert_close(getattr(features, name).flatten(2).mT, normed[:, -6:])
    torch.testing.assert_close(features.class_token, vit.norm(seen["late"])[:, 0])
    # The norm's scale is 1 and its shift 0 where untrained, so normed patches have unit variance.
    assert features.middle.var(1, unbiased=False).sub(1).abs().max() < 0.05


def test_statistics_are_the_networks_own() -> None:
    for name, timm_name in {
        "dinov3-vits16": "vit_small_patch16_dinov3.lvd1689m",
        "dinov3-vitb16": "vit_base_patch16_dinov3.lvd1689m",
        "dinov3-vitl16": "vit_large_patch16_dinov3.lvd1689m",
        "dinov3-vitl16-sat": "vit_large_patch16_dinov3.sat493m",
        "dinov2-vitb14": "vit_base_patch14_dinov2.lvd142m",
        "imagenet": "tf_efficientnet_lite0",
    }.items():
        facts, entry = timm.get_pretrained_cfg(timm_name), TEACHERS[name]
        assert facts is not None
        assert (entry.mean, entry.std) == (facts.mean, facts.std), name


def test_images_are_normalised_per_band() -> None:
    teacher = spy_teacher()
    teacher(torch.full((1, 3, 4, 4), 0.6))
    torch.testing.assert_close(seen_by(teacher)[0, :, 0, 0], torch.tensor([1.0, 1.6, 0.15]))


@settings(deadline=None, max_examples=40)
@given(sides=st.tuples(st.integers(1, 50), st.integers(1, 50)), multiple=st.sampled_from([1, 8, 14]))
def test_other_sizes_are_resized_to_the_nearest_multiple(sides: tuple[int, int], multiple: int) -> None:
    teacher = spy_teacher(multiple)
    teacher(torch.rand(1, 3, *sides))
    for given_side, side in zip(sides, seen_by(teacher).shape[2:], strict=True):
        assert side % multiple == 0 and side >= multiple
        assert side == multiple or abs(side - given_side) <= multiple / 2


@pytest.mark.parametrize("scale", [255.0, 3558.0, float("nan"), -4.0])
def test_images_in_another_unit_are_refused(scale: float) -> None:
    with pytest.raises(BrewError, match=r"spy.*\[0, 1\]"):
        spy_teacher()(torch.full((1, 3, 4, 4), 0.9) * scale)


def test_centres_are_means_over_the_images_whatever_the_batches() -> None:
    images = torch.rand(7, 3, 4, 4)
    one, other = spy_teacher(), spy_teacher()
    raw = one(images)
    one.centre_on([images])
    other.centre_on(images.split(3))
    centred = one(images)
    for value in (centred.class_token, centred.late.mean((2, 3)), centred.middle.mean((2, 3))):
        assert value.mean(0).abs().max() < 1e-6
    torch.testing.assert_close(raw.late - centred.late, raw.late.mean((0, 2, 3)).view(1, 3, 1, 1).expand_as(raw.late))
    assert one.centres()["images"] == other.centres()["images"] == 7
    for token in ("class_token", "late", "middle"):
        torch.testing.assert_close(one.centres()[token], other.centres()[token])
    one.centre_on([images])  # anew, not on top of the earlier centres
    torch.testing.assert_close(one.centres()["late"], other.centres()["late"])


def test_centres_go_through_a_file(tmp_path: Path) -> None:
    teacher = spy_teacher()
    assert teacher.centres()["images"] == 0
    teacher.centre_on([torch.rand(5, 3, 4, 4)])
    torch.save(teacher.centres(), tmp_path / "centres.pt")
    other, images = spy_teacher(), torch.rand(1, 3, 4, 4)
    other.load_centres(torch.load(tmp_path / "centres.pt", weights_only=True))
    assert torch.equal(other(images).middle, teacher(images).middle)


def test_wrong_centres_are_refused() -> None:
    teacher = spy_teacher()
    centres = teacher.centres()
    with pytest.raises(BrewError, match=r"another.*expected 'spy'"):
        teacher.load_centres(spy_teacher(name="another").centres())
    with pytest.raises(BrewError, match=r"late.*shape"):
        teacher.load_centres(centres | {"late": torch.zeros(4)})
    with pytest.raises(BrewError, match=r"middle.*finite"):
        teacher.load_centres(centres | {"middle": torch.full((2,), torch.inf)})
    with pytest.raises(BrewError, match="centres hold"):
        teacher.load_centres({"late": torch.zeros(3)})
    with pytest.raises(BrewError, match="no images"):
        teacher.centre_on([])


def test_an_unknown_teacher_is_named_with_the_nearest() -> None:
    with pytest.raises(BrewError, match="did you mean 'dinov3-vitb16'"):
        load_teacher("dinov3-vit-b16")


def absent_hub(monkeypatch: pytest.MonkeyPatch, fetch: Callable[..., str]) -> None:
    monkeypatch.setattr(teacher_networks, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(teacher_networks, "hf_hub_download", fetch)


@pytest.mark.parametrize("name", [name for name in TEACHERS if name.startswith("dino")])
def test_absent_weights_are_an_error_that_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: str) -> str:
        raise AssertionError("nothing may touch the network unasked")

    absent_hub(monkeypatch, never)
    with pytest.raises(TeacherUnavailable, match=f"{name}.*not in the local.*hf download timm/vit"):
        load_teacher(name)


def test_a_failed_download_is_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: str) -> str:
        raise OSError("no route")

    absent_hub(monkeypatch, unreachable)
    with pytest.raises(TeacherUnavailable, match=r"could not be fetched \(no route\)"):
        load_teacher("dinov3-vits16", download=True)


def test_cached_weights_are_the_ones_that_teach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vit = timm.create_model("vit_small_patch16_dinov3.lvd1689m", num_classes=0).eval()
    file = tmp_path / "model.safetensors"
    save_file(vit.state_dict(), file)
    monkeypatch.setattr(teacher_networks, "try_to_load_from_cache", lambda *_: str(file))
    teacher, images = load_teacher("dinov3-vits16"), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = token_features(vit, (images - teacher.mean) / teacher.std, 8)
    torch.testing.assert_close(teacher(images).middle, expected.middle)
    file.write_bytes(file.read_bytes()[:10_000])
    with pytest.raises(BrewError, match=r"does not load.*delete"):
        load_teacher("dinov3-vits16")


def test_imagenet_weights_fit_one_by_one() -> None:
    """Trained weights in their right places tell plainly different images apart; random ones do not."""
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 1, 64), torch.linspace(0, 1, 64), indexing="ij")
    disc = ((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1).float()
    patterns = [x, y, (20 * x).sin() / 2 + 0.5, (20 * y).sin() / 2 + 0.5, disc]
    images = torch.stack([*(p.expand(3, 64, 64) for p in patterns), torch.rand(3, 64, 64)])
    assert mean_cosine(TEACHERS["imagenet"].build(random=True)(images).class_token) > 0.9
    assert mean_cosine(load_teacher("imagenet")(images).class_token) < 0.7


def test_norms_taken_into_convolutions_leave_the_features() -> None:
    network = timm.create_model("tf_efficientnet_lite0").eval()
    network.load_state_dict(
        teacher_networks.in_order(teacher_networks.efficientnet_lite0_weights(), network.state_dict())
    )
    folded, images = teacher_networks.efficientnet_lite0(False, False), torch.rand(2, 3, 128, 128) * 2 - 1
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        last, (middle, late) = network.forward_intermediates(images, indices=[-2, -1])
        found = folded(images)
        pooled = network.forward_head(last, pre_logits=True)
    for told, expected in ((found.class_token, pooled), (found.late, late), (found.middle, middle)):
        assert (told - expected).abs().max() < 2e-4 * expected.std()


def mean_cosine(vectors: torch.Tensor) -> float:
    units = F.normalize(vectors, dim=1)
    count = len(units)
    return float((units @ units.T).fill_diagonal_(0).sum() / (count * (count - 1)))


def test_entries_that_do_not_fit_are_refused() -> None:
    wanted = {"a.weight": torch.zeros(2), "a.bias": torch.zeros(3)}
    fitting = {"b.weight": torch.ones(2), "b.bias": torch.ones(3)}
    assert teacher_networks.in_order(fitting, wanted).keys() == wanted.keys()
    for given_entries in (
        {"b.weight": torch.ones(2)},
        {"b.weight": torch.ones(2), "b.bias": torch.ones(4)},
        {"b.weight": torch.ones(2), "b.mean": torch.ones(3)},
    ):
        with pytest.raises(BrewError, match="pinned requirements"):
            teacher_networks.in_order(given_entries, wanted)


# The miniature's teacher


def small(**numbers: int) -> MiniatureViT:
    torch.manual_seed(1)
    return MiniatureViT(**({"width": 16, "depth": 3, "heads": 2} | numbers), mean=(0.3, 0.4, 0.5), std=(0.2, 0.3, 0.1))


def test_the_miniature_trains_and_reads_any_multiple_of_its_patch() -> None:
    model = small()
    features = model(torch.rand(2, 3, 24, 40))
    assert features.late.shape == features.middle.shape == (2, 16, 3, 5)
    (features.class_token.sum() + features.late.sum() + features.middle.sum()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(BrewError, match=r"25 x 40.*multiples of the patch"):
        model(torch.rand(2, 3, 25, 40))


def test_the_miniature_goes_through_its_file(tmp_path: Path) -> None:
    model, file = small(depth=2, image_size=32), tmp_path / "weights" / "miniature-teacher.pt"
    model.load_state_dict({name: value.half() for name, value in model.state_dict().items()})  # what float16 can hold
    save_miniature_teacher(file, model, {"scenes": 2048, "seed": 3, "loss": "coding rate"})
    again, provenance = load_miniature_teacher(file)
    assert provenance == {"scenes": 2048, "seed": 3, "loss": "coding rate"}
    assert again.architecture == model.architecture and not again.training
    images = torch.rand(2, 3, 48, 48)
    assert torch.equal(again(images).late, model.eval()(images).late)
    digest, name = hash_file(file).read_text().split()
    assert len(digest) == 64 and name == file.name


def test_the_same_miniature_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        save_miniature_teacher(tmp_path / name, small(), {"seed": 0})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
    assert not list(tmp_path.glob(".partial*"))


def test_the_default_miniature_fits_its_limit(tmp_path: Path) -> None:
    save_miniature_teacher(tmp_path / "a.pt", MiniatureViT(), {})
    assert (tmp_path / "a.pt").stat().st_size < LARGEST_FILE == 4_000_000
    with pytest.raises(BrewError, match="at most 4,000,000"):
        save_miniature_teacher(tmp_path / "b.pt", MiniatureViT(width=256), {})
    assert not (tmp_path / "b.pt").exists()


@pytest.mark.parametrize("value", [torch.nan, 1e6])
def test_weights_that_float16_cannot_hold_are_refused(value: float, tmp_path: Path) -> None:
    model = small()
    nn.init.constant_(model.get_parameter("vit.norm.weight"), value)
    with pytest.raises(BrewError, match=r"vit\.norm\.weight.*float16"):
        save_miniature_teacher(tmp_path / "a.pt", model, {})


def test_a_changed_truncated_or_foreign_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    save_miniature_teacher(file, small(), {})
    sound, record = file.read_bytes(), hash_file(file).read_text()
    for bad in (sound[:-1], sound[:100], sound[:500] + bytes([sound[500] ^ 1]) + sound[501:]):
        file.write_bytes(bad)
        with pytest.raises(BrewError, match=r"a\.pt has SHA-256.*expected"):
            load_miniature_teacher(file)
    file.write_bytes(sound)
    hash_file(file).write_text("")
    with pytest.raises(BrewError, match="expected one"):
        load_miniature_teacher(file)
    hash_file(file).unlink()
    with pytest.raises(BrewError, match=r"a\.sha256 does not exist"):
        load_miniature_teacher(file)
    hash_file(file).write_text(record)
    load_miniature_teacher(file)


def test_the_table_finds_the_miniature_among_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WEIGHTS", tmp_path)
    with pytest.raises(TeacherUnavailable, match=r"miniature-teacher\.pt does not exist.*restore"):
        load_teacher("miniature")
    model = MiniatureViT(mean=(0.3, 0.4, 0.5), std=(0.2, 0.3, 0.1))
    save_miniature_teacher(tmp_path / "miniature-teacher.pt", model, {})
    images = torch.rand(1, 3, 32, 32)
    expected = model.eval()(images)
    torch.testing.assert_close(load_teacher("miniature")(images).late, expected.late.detach(), atol=0.01, rtol=0.01)
