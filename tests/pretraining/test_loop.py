"""The loop: resuming, determinism, what stops it."""

import pandas as pd
import pytest
import torch

from brew.data.miniature.feed import RenderedFeed
from brew.errors import BrewError
from brew.models.student import build_student, load_student
from brew.pretraining import checkpoint
from brew.pretraining.history import Log
from brew.pretraining.updates import clip, parameter_groups


class Interrupted(Exception):
    pass


class DyingFeed:
    """The given feed, which raises after some batches, as a kill would."""

    def __init__(self, feed, batches):
        self.name, self.feed, self.left = feed.name, feed, batches

    def __len__(self):
        return len(self.feed)

    def epoch(self, epoch, start_step=0):
        for batch in self.feed.epoch(epoch, start_step):
            if self.left == 0:
                raise Interrupted
            self.left -= 1
            yield batch


def same_weights(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("name", "steps", "killed"), [("deo", 9, 5), ("deo+time-spread", 4, 3), ("deo+labels-tenth", 4, 3)]
)
def test_an_interrupted_run_resumes_to_the_same_bits(name, steps, killed, short_run, scenes, places, tmp_path):
    whole = short_run(name, steps=steps)
    unfinished = tmp_path / "killed.pt"
    feed = DyingFeed(scenes if name == "deo" else places, killed)
    with pytest.raises(Interrupted):
        short_run(name, steps=steps, feed=feed, unfinished=unfinished, checkpoint_every_s=0.0)
    assert checkpoint.load(unfinished)["step"] == killed
    resumed = short_run(name, steps=steps, unfinished=unfinished)
    assert same_weights(whole.student.state_dict(), resumed.student.state_dict())
    pd.testing.assert_frame_equal(whole.history, resumed.history)


def test_deo_begins_as_it_did_before_arms_had_dates_and_labels(short_run):
    """Similarities of its first two steps, as they were then; other processors differ in the last digits."""
    begun = {
        "multispectral/compression": [0.47314, 0.37383], "multispectral/expansion": [1.91104, 1.82260],
        "miniature/class": [0.00952, 0.66834], "miniature/late": [-0.05612, 0.66582],
        "miniature/middle": [-0.00004, 0.68493],
    }  # fmt: skip
    history = short_run("deo", steps=2).history
    for name, values in begun.items():
        assert history[name].tolist() == pytest.approx(values, abs=5e-3), name


def test_students_kept_on_the_way_change_nothing_and_survive_a_kill(short_run, scenes, tmp_path):
    files = {step: tmp_path / f"{step}.pt" for step in (2, 4)}
    plain = short_run("deo", steps=6)
    kept = short_run("deo", steps=6, unfinished=tmp_path / "kept.pt", snapshots=files)
    assert same_weights(plain.student.state_dict(), kept.student.state_dict())
    whole = {step: file.read_bytes() for step, file in files.items()}
    again = {step: tmp_path / f"again-{step}.pt" for step in files}
    killed = {"unfinished": tmp_path / "killed.pt", "snapshots": again}
    with pytest.raises(Interrupted):
        short_run("deo", steps=6, feed=DyingFeed(scenes, 3), checkpoint_every_s=0.0, **killed)
    assert again[2].exists() and not again[4].exists()
    short_run("deo", steps=6, **killed)
    assert {step: file.read_bytes() for step, file in again.items()} == whole
    early, late = (load_student(files[step]) for step in (2, 4))
    assert [early.provenance["steps"], late.provenance["steps"]] == [2, 4]
    assert not same_weights(early.state_dict(), late.state_dict())


def test_scenes_rendered_on_the_way_train_as_stored_ones_do(short_run):
    stored = short_run("deo", steps=2)
    feed = RenderedFeed("scenes", 5, 16, 8, 32, ("multispectral", "optical"))
    rendered = short_run("deo", steps=2, feed=feed)
    assert same_weights(stored.student.state_dict(), rendered.student.state_dict())
    pd.testing.assert_frame_equal(stored.history, rendered.history)


def test_a_stem_that_the_arm_does_not_train_stays_and_has_no_gradient(short_run):
    before = build_student("swin-nano", ("multispectral",), seed=0).stems["optical"].state_dict()
    stem = short_run("ms-only", steps=2).student.stems["optical"]
    assert same_weights(stem.state_dict(), before)
    assert not any(parameter.requires_grad for parameter in stem.parameters())


def test_another_seed_gives_another_run(short_run):
    one, other = short_run("ms-only", steps=3), short_run("ms-only", steps=3, seed=1)
    assert not same_weights(one.student.state_dict(), other.student.state_dict())


def test_a_loss_that_is_not_finite_stops_and_says_where_to_look(short_run):
    with pytest.raises(BrewError, match=r"finite|NaN"):
        short_run("ms-only", steps=12, clip=1e30, weight_decay=(1e30, 1e30))


def test_a_logged_loss_that_is_not_finite_names_step_and_where_to_look():
    log = Log([])
    log.add(2, {"loss": torch.tensor(1.0)}, {"learning rate": 1e-3})
    log.add(3, {"loss": torch.tensor(float("nan"))}, {"learning rate": 1e-3})
    with pytest.raises(
        BrewError, match=r"step 3, first in 'loss': .*Last sound step: step 2.*Look at the learning rate"
    ):
        log.flush()
    assert [row["step"] for row in log.rows] == [2]


def test_a_row_of_the_log_is_reduced_before_it_is_read():
    log = Log([], reduce=lambda values: values / 2)
    log.add(0, {"loss": torch.tensor(3.0), "norm": torch.tensor(1.0, dtype=torch.float64)}, {"learning rate": 1e-3})
    log.flush()
    assert log.rows == [{"step": 0, "loss": 1.5, "norm": 0.5, "learning rate": 1e-3}]


def test_the_same_view_pairs_of_class_tokens_are_a_parameter(short_run):
    with_pairs, without = short_run("deo", steps=1, skip_same_view=False), short_run("deo", steps=1)
    assert with_pairs.history["miniature/class"][0] != without.history["miniature/class"][0]
    assert with_pairs.history["multispectral/compression"][0] == without.history["multispectral/compression"][0]


def test_clipping_jointly_keeps_the_direction_and_alone_does_not():
    def layer():
        module = torch.nn.Linear(2, 1)
        module.weight.grad, module.bias.grad = torch.tensor([[30.0, 40.0]]), torch.tensor([1.0])
        return module

    jointly, alone = layer(), layer()
    assert clip(jointly, 3.0, True).norm().item() == pytest.approx(2501**0.5)
    clip(alone, 3.0, False)
    assert jointly.bias.grad.item() == pytest.approx(3 / 2501**0.5, rel=1e-4)
    assert alone.bias.grad.item() == 1.0  # within the limit by itself
    assert alone.weight.grad.norm().item() == pytest.approx(3.0, rel=1e-4)


def test_biases_and_norms_do_not_decay():
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3))
    decays, not_decays = parameter_groups(module)
    assert decays["decays"] and [tuple(p.shape) for p in decays["params"]] == [(3, 3)]
    assert not not_decays["decays"] and len(not_decays["params"]) == 3


def test_a_broken_checkpoint_is_an_error_not_a_fresh_start(tmp_path):
    path = tmp_path / "broken.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(BrewError, match="delete it to start anew"):
        checkpoint.load(path)


def test_a_fused_attention_that_nothing_would_use_is_an_error(short_run):
    with pytest.raises(BrewError, match=r"fused_attention is asked for on the device cpu.*expected an accelerator"):
        short_run("ms-only", steps=1, fused_attention=True)


def test_a_fixed_count_of_dropped_samples_is_a_parameter(short_run):
    runs = [short_run("ms-only", steps=1, depth=0.5, fixed_count=fixed) for fixed in (True, True, False)]
    one, again, independent = (run.student.state_dict() for run in runs)
    assert same_weights(one, again)
    assert not same_weights(one, independent)
