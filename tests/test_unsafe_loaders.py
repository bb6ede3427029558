"""Files from elsewhere never run code: no module of the package calls a loader that would."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import brew

PACKAGE = Path(brew.__file__).parent
#: Calls that build objects or run code, whatever their arguments.
FORBIDDEN = {
    "eval", "exec", "compile", "execfile", "os.system", "os.popen", "runpy.run_path", "pickle.load", "pickle.loads",
    "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open", "dill.load", "dill.loads", "cloudpickle.load",
    "cloudpickle.loads", "joblib.load", "pandas.read_pickle", "pd.read_pickle", "yaml.full_load", "yaml.unsafe_load",
    "yaml.load_all", "yaml.full_load_all", "yaml.unsafe_load_all", "shutil.unpack_archive", "torch.jit.load",
    "importlib.machinery.SourceFileLoader",
}  # fmt: skip
#: What a run has written itself, in its own folder, a moment before.
OWN = {("compendium/stages/pretrain_arm.py", "pd.read_pickle")}


def unsafe(source: str) -> Iterator[str]:
    """Names of the calls in a module's source that could run what a file says."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not _safe(node):
            yield ast.unparse(node.func)


def _safe(call: ast.Call) -> bool:
    name, given = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name in ("torch.load", "load_state_dict_from_url", "torch.hub.load_state_dict_from_url"):
        return given.get("weights_only") == "True"
    if name in ("np.load", "numpy.load"):
        return given.get("allow_pickle", "False") == "False"
    if name == "yaml.load":
        loader = given.get("Loader") or ast.unparse(call.args[1]) if len(call.args) > 1 or given else ""
        return loader.endswith(("_Loader", "SafeLoader"))
    if name.endswith(".extractall"):
        return "tar" not in name or given.get("filter") == "'data'"
    if name.startswith("subprocess."):
        return given.get("shell", "False") == "False"
    return name not in FORBIDDEN


def test_no_module_calls_an_unsafe_loader():
    modules = {file.relative_to(PACKAGE).as_posix(): file.read_text() for file in PACKAGE.rglob("*.py")}
    found = {(name, call) for name, source in modules.items() for call in unsafe(source)}
    assert len(modules) > 50 and found - OWN == set()


@pytest.mark.parametrize(
    "source",
    [
        "pickle.load(file)", "torch.load(path)", "torch.load(path, weights_only=False)", "eval(text)",
        "np.load(path, allow_pickle=True)", "yaml.load(text, yaml.FullLoader)", "yaml.load(text)",
        "packed_tar.extractall(folder)", "pd.read_pickle(path)", "subprocess.run(text, shell=True)",
    ],
)  # fmt: skip
def test_each_of_them_would_be_found(source):
    assert len(list(unsafe(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path, weights_only=True)", "np.load(path)", "np.load(path, allow_pickle=False)", "json.load(file)",
        "yaml.safe_load(text)", "yaml.load(text, _Loader)", "ast.literal_eval(text)", "model.eval()",
    ],
)  # fmt: skip
def test_safe_ones_are_not(source):
    assert list(unsafe(source)) == []
