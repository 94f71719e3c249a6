"""What works without any extra, and what is said where one is needed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from unisono import errors, models
from unisono.errors import EXTRAS, MissingExtra

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]

#: Modules of distributions that are called otherwise.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "charset_normalizer": "charset-normalizer",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "markdown_it": "markdown-it-py",
    "google_crc32c": "google-crc32c",
    "pretty_midi": "pretty-midi",
    "stop_words": "stop-words",
    "yt_dlp": "yt-dlp",
}
CLOSED = (
    "c_cca",
    "c_kcca",
    "cca",
    "gcca",
    "kcca",
    "local_cca",
    "multi_view",
    "popularity",
    "posterior",
    "random",
    "scm",
    "semantic_matching",
)


def test_methods_in_closed_form_are_compared_and_networks_named(light: Run, features: Path, tmp_path: Path) -> None:
    done = light("-m", "unisono", "evaluate", features, "--model", "all", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    skipped = dict(re.findall(r"^not run: (\w+): (.*)$", done.stdout, flags=re.MULTILINE))
    networks = {name for name, reason in skipped.items() if reason.startswith("needs unisono[deep]")}
    joint = {name for name, reason in skipped.items() if reason.startswith("ranks by scores of pairs")}
    assert joint == {"overlap", "popularity", "tag_attention"}
    assert set(skipped) - networks - joint <= {"identity", "c_kcca", "kcca"}
    assert networks == set(models.available()) - set(CLOSED) - joint - {"identity"}
    assert (tmp_path / "out" / "cca" / "metrics.json").is_file()
    assert not (tmp_path / "out" / "dcca").exists()


def test_one_method_is_fitted_with_the_light_packages_alone(light: Run, features: Path, tmp_path: Path) -> None:
    arguments = [
        "evaluate",
        str(features),
        "--model",
        "c_cca",
        "--param",
        "n_components=3",
        "--out",
        str(tmp_path / "o"),
    ]
    code = f"""
import sys
from unisono.cli import main
main({arguments})
print(sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = light("-c", code)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert content["audio->visual"]["map"] > 2 * content["audio->visual"]["chance"]["map"]
    # Nor does it load them where they are installed: a second or more of a short command.
    ordinary = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for run in (done, ordinary):
        loaded = set(ast.literal_eval(run.stdout.splitlines()[-1]))
        assert {"numpy", "pyarrow"} <= loaded
        # numpy.f2py, which SciPy loads, takes charset_normalizer where it is there.
        assert loaded & {*EXTRAS, "sklearn"} <= {"charset_normalizer"}


def test_a_network_alone_ends_in_a_line_with_the_command(light: Run, features: Path, tmp_path: Path) -> None:
    done = light("-m", "unisono", "evaluate", features, "--model", "tnn_c_cca", "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'error: needs unisono[deep] (torch is not installed): pip install "unisono[deep]"\n'
    assert not (tmp_path / "out").exists()


def test_all_methods_are_listed(light: Run) -> None:
    done = light("-m", "unisono", "models")
    assert [line.split()[0] for line in done.stdout.splitlines()] == models.available()


def test_metrics_and_methods_in_python(light: Run) -> None:
    done = light(
        "-c",
        "import numpy as np\n"
        "from unisono import metrics, models\n"
        "x = np.random.default_rng(0).standard_normal((30, 5))\n"
        "views = {'a': x, 'b': x[:, ::-1]}\n"
        "found = models.create('cca', n_components=3).fit(views).transform(views)\n"
        "print(metrics.recall_at_k(found['a'], found['b'], 1), metrics.median_rank(found['a'], found['b']))\n",
    )
    assert done.stdout.split() == ["1.0", "1.0"], done.stderr


@pytest.mark.parametrize("stage", ["train_skipgram", "write_report", "extract_video"])
def test_a_stage_names_the_extra_it_needs(light: Run, stage: str) -> None:
    module = {"train_skipgram": "gensim.models", "write_report": "markdown_it", "extract_video": "av"}[stage]
    done = light("-c", f"from unisono import errors\ndef main():\n    import {module}\nerrors.run(main)")
    assert done.returncode == 2
    name = module.partition(".")[0]
    assert done.stderr == f'error: needs unisono[pipeline] ({name} is not installed): pip install "unisono[pipeline]"\n'


def test_a_module_of_no_extra_stays_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"), errors.naming_extras():
        import unisono.nowhere  # noqa: F401
    with pytest.raises(MissingExtra, match=r"unisono\[youtube\]"), errors.naming_extras():
        raise ModuleNotFoundError(name="yt_dlp.utils")


def declared() -> dict[str, set[str]]:
    """Read distributions by extra ("" for those of every installation), extras of extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: {re.match(r"[\w.-]+", text)[0] for text in texts} for extra, texts in named.items()}  # type: ignore[index]


def imported() -> set[str]:
    """Collect the packages of others that unisono and its stages import anywhere."""
    names = set()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - {"unisono", "stages", "__future__"} - set(sys.stdlib_module_names)


def test_every_import_is_declared_in_the_extra_that_messages_name() -> None:
    groups = declared()
    for module in imported():
        distribution = DISTRIBUTIONS.get(module, module)
        assert distribution in groups[EXTRAS.get(module, "")], module
    used = {DISTRIBUTIONS.get(module, module) for module in imported()}
    # Used without an import: as programs, as data, or by others.
    assert groups[""] | groups["deep"] | groups["pipeline"] | groups["youtube"] <= used | {
        "dvc", "music21", "ruamel.yaml.clib", "tensorflow-cpu", "unisono"
    }  # fmt: skip
    locked = {line.partition("==")[0].lower() for line in (ROOT / "requirements.lock").read_text().splitlines()}
    del groups["glove"], groups["huggingface"]  # What the pipeline does without.
    wanted = {name.lower() for names in groups.values() for name in names} - {"unisono", "tensorflow"}
    assert {name.replace("_", "-") for name in wanted} <= {name.replace("_", "-") for name in locked}
