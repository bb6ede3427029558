"""Fused attention equals torch's, through Triton's interpreter; what cannot take it is refused before training begins.

`interpreted_attention` computes in a process of its own, whose environment no other test sees.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from brew.errors import BrewError
from brew.files import ROOT
from brew.models.fused_window_attention import Launch, check_fused_attention
from brew.models.student import build_student
from brew.models.swin import WindowAttention

with_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton has no wheel for this machine; torch comes without it"
)

#: Norm of the difference from plain torch in float64, as a share of the expected norm: of the output and of the
#: gradients of q, k, v and bias. bfloat16 is eight times as coarse as float16, and the interpreter cuts off instead of
#: rounding to it.
TOLERANCES = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What the script prints."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    script = Path(__file__).with_name("interpreted_attention.py")
    run = subprocess.run([sys.executable, script], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@with_triton
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_outputs_and_gradients_equal_torch_s(found: dict[str, Any], dtype: str) -> None:
    assert len(found[dtype]) >= 3
    for name, differences in found[dtype].items():
        assert len(differences) == 5 and max(differences) <= TOLERANCES[dtype], f"{name}: {differences}"


@with_triton
def test_a_module_s_outputs_and_gradients_equal_those_of_torch_s_attention(found: dict[str, Any]) -> None:
    """On maps with shifts and masks, with padding, and covered by one window along one axis or both."""
    assert len(found["modules"]) == 4
    for name, differences in found["modules"].items():
        assert len(differences) == 7 and max(differences) <= 1e-5, f"{name}: {differences}"


@with_triton
def test_the_same_arguments_give_the_same_bits(found: dict[str, Any]) -> None:
    assert found["equal bits"]


@with_triton
def test_a_compiled_call_equals_a_plain_one(found: dict[str, Any]) -> None:
    assert found["compiled"] == [0.0] * 5


@with_triton
@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("bias of other windows", r"\(3, 1, 4, 4\); expected \(window, head, query, d\).*give arrays"),
        ("keys without values", r"\(2, 1, 3, 8\), .*expected .*give arrays"),
        ("width", "heads have 7 numbers .*expected a multiple of 8 .*set fused_attention: false"),
        ("many keys", "windows 257 keys; expected .*at most 256 keys; set"),
        ("float64", "torch.float64; expected one of torch.bfloat16, torch.float16, torch.float32"),
        ("two types", "torch.float32, torch.float16 and torch.float32; expected one of"),
    ],
)
def test_what_the_kernels_cannot_take_is_refused(found: dict[str, Any], case: str, message: str) -> None:
    with pytest.raises(BrewError, match=message):
        raise BrewError(found["refused"][case])


@pytest.fixture(scope="module")
def without_interpreter(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `COMPILE` prints."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("kernels")), "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", COMPILE], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@with_triton
def test_the_kernels_compile_for_an_h100(without_interpreter: dict[str, Any]) -> None:
    """To a binary of the device, which no device runs here. Windows of 12 with a padding key, in bfloat16."""
    shared = without_interpreter["shared memory"]
    assert list(shared) == ["forward", "backward_of_queries", "backward_of_keys"]
    assert all(0 < size <= 100_000 for size in shared.values()), shared


@with_triton
def test_arrays_on_the_cpu_need_the_interpreter(without_interpreter: dict[str, Any]) -> None:
    assert "arrays on the CPU; expected an accelerator's, or TRITON_INTERPRET=1" in without_interpreter["on the CPU"]


COMPILE = """
import json
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from brew.models import window_attention_kernels as kernels
from brew.models.fused_window_attention import Launch, fused_attention

launch = Launch(images=8, pairs=4, queries=144, keys=145, width=32)
types = dict.fromkeys(("logsumexp", "means", "dbias"), "*fp32") | {"images": "i32", "pairs": "i32", "scale": "fp32"}
whole, by_keys = launch.constants(), launch.constants(by_keys=True)
shared = {}
for kernel, constants, warps in (
    (kernels.forward, whole, 4),
    (kernels.backward_of_queries, whole | {"WHOLE": launch.whole}, 8),
    (kernels.backward_of_keys, by_keys, 4),
):
    fixed = {name: value for name, value in constants.items() if name != "num_stages"}
    signature = {name: "constexpr" if name in fixed else types.get(name, "*bf16") for name in kernel.arg_names}
    places = {(kernel.arg_names.index(name),): value for name, value in fixed.items()}
    options = {"num_warps": warps, "num_stages": constants["num_stages"]}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    binary = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert binary.asm["cubin"]
    shared[kernel.__name__] = binary.metadata.shared
q = torch.zeros(1, 1, 4, 8)
try:
    fused_attention(q, q, q, torch.zeros(1, 1, 4, 4))
except ValueError as error:
    print(json.dumps({"shared memory": shared, "on the CPU": str(error)}))
"""


def test_shares_and_blocks_fit_the_sizes() -> None:
    of_7, of_12 = Launch(64, 3, 49, 49, 32), Launch(64, 4, 144, 145, 32)
    assert of_7.whole and of_7.grid == (3, 1, 64)
    assert not of_12.whole and of_12.grid == (4, 9, 28)
    assert {of_12.constants()[name] for name in ("QUERY_BLOCK", "KEY_BLOCK")} == {16, 256}
    assert Launch(0, 3, 9, 10, 8).grid == (3, 1, 1)  # an empty batch has a gradient of zeros


def test_a_student_s_windows_are_fused_where_told() -> None:
    plain, fused = (build_student("swin-nano", fused_attention=each, seed=0) for each in (False, True))
    asked = [
        [each.fused for each in student.modules() if isinstance(each, WindowAttention)] for student in (plain, fused)
    ]
    assert asked == [[False] * 4, [True] * 4]
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    pooled = [student.encode(images, "optical").pooled for student in (plain, fused)]
    assert torch.equal(*pooled)  # the CPU has a path of its own
    assert plain.state_dict().keys() == fused.state_dict().keys()


def test_a_trunk_without_windows_is_refused() -> None:
    with pytest.raises(BrewError, match="'vit-micro', which has no windows; expected a Swin; set fused_attention"):
        build_student("vit-micro", fused_attention=True)
    with pytest.raises(BrewError, match=r"a ViT without it; expected a Swin .*build the student with"):
        check_fused_attention(build_student("vit-micro").trunk, torch.device("cuda"))


def test_a_device_that_would_not_use_it_is_refused() -> None:
    trunk = build_student("swin-nano", fused_attention=True).trunk
    with pytest.raises(BrewError, match="on the device cpu, where nothing would use it; expected an accelerator"):
        check_fused_attention(trunk, torch.device("cpu"))


def test_a_machine_without_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trunk = build_student("swin-nano", fused_attention=True).trunk
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "brew.models.window_attention_kernels", raising=False)
    monkeypatch.delattr("brew.models.window_attention_kernels", raising=False)
    with pytest.raises(BrewError, match=r"Triton cannot be imported .*expected it beside torch.*install the package"):
        check_fused_attention(trunk, torch.device("cuda"))
