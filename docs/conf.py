"""The site: every page of docs/ and the API reference, by Sphinx (`make docs`)."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version as installed_version

from docutils import nodes
from numpy.typing import ArrayLike
from pydantic import BaseModel
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import stringify_annotation

project = "Presparse"
author = "The Presparse authors"
project_copyright = "The Presparse authors, BSD 2-Clause"
version = release = installed_version("presparse")

extensions = [
    "myst_parser",  # the pages are Markdown, as GitHub shows them
    "sphinx.ext.autodoc",  # the API reference comes from docstrings
    "sphinx.ext.napoleon",  # whose sections are numpy's, and one of our own
    "sphinx_copybutton",  # on every example
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Presparse"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False

myst_heading_anchors = 3  # GitHub's anchors
highlight_language = "none"  # a block that does not say what it is, is a drawing
copybutton_prompt_text = "$ "

napoleon_custom_sections = [("Members", "params_style")]
default_role = "literal"  # `name` in a docstring
autodoc_member_order = "bysource"
# Pydantic's, how descriptions refuse, and what PyTorch's modules inherit.
autodoc_default_options = {"exclude-members": "model_config, refusal, extra_repr"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "numpy.typing.ArrayLike"}  # named, not spelt out
python_use_unqualified_type_names = True

# What other libraries define is named, not linked: the site is built without a network.
suppress_warnings = ["ref.python"]  # a shape such as (k, width) means no attribute that is called so
nitpick_ignore_regex = [("py:.*", r"(?!presparse).*")]

PUBLIC = (
    "presparse",
    "presparse.train",
    "presparse.sparsity",
    "presparse.prune",
    "presparse.patterns",
    "presparse.data",
    "presparse.errors",
)
"""Modules whose `__all__` is the API, in the order in which a name's own page is looked for."""


def public_names() -> dict[str, str]:
    """Where a class or function is defined -> the name under which the reference has it."""
    names: dict[str, str] = {}
    for module in PUBLIC:
        home = importlib.import_module(module)
        for name in getattr(home, "__all__", vars(home)):
            thing = getattr(home, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                names.setdefault(f"{thing.__module__}.{thing.__qualname__}", f"{module}.{name}")
    return names


def resolve_by_home(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement
) -> nodes.Node | None:
    """A type in a signature is named by the module that defines it, and documented where users find it."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target.startswith("presparse"):
        return None
    name = public_names().get(target)
    domain = env.get_domain("py")
    found = name and domain.resolve_any_xref(env, str(node["refdoc"]), app.builder, name, node, text)
    return found[0][1] if found else text  # of what is not public, the name


def describe_fields(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """The fields of a pydantic model under its docstring, as its own descriptions have them."""
    if not (inspect.isclass(thing) and issubclass(thing, BaseModel)):
        return
    lines.append("")
    for field, info in thing.model_fields.items():
        if info.description:
            lines.append(f":param {field}: {info.description}")
    lines.append("")


def described(thing: type) -> Iterator[str]:
    """The arguments of a dataclass or pydantic model, in the words of its source."""
    words = {name: word for base in reversed(thing.__mro__) for name, word in inspect.get_annotations(base).items()}
    starred = False
    for name, argument in inspect.signature(thing).parameters.items():
        if argument.kind is argument.KEYWORD_ONLY and not starred:
            yield "*"
            starred = True
        plain = isinstance(argument.default, str | int | float | tuple | None)
        default = "" if argument.default is argument.empty else f" = {argument.default!r}" if plain else " = ..."
        yield f"{name}: {words.get(name, argument.annotation)}" + (
            "" if argument.default is argument.empty else default
        )


def shorten(
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Types as the source has them, where autodoc spells out what they stand for."""
    if inspect.isclass(thing) and (issubclass(thing, BaseModel) or dataclasses.is_dataclass(thing)):
        return f"({', '.join(described(thing))})", returned
    array_like = stringify_annotation(ArrayLike, "smart")
    for pattern, short in (
        (re.escape(array_like), "ArrayLike"),
        (r"TypeAliasForwardRef\('numpy\.typing\.(\w+)'\)", r"\1"),
        (r"numpy\.typing\.ArrayLike", "ArrayLike"),
        (r"~numpy\.ndarray\[[^\[\]]*\[.*?\], ~numpy\.dtype\[(.*?)\]\]", r"NDArray[\1]"),
    ):
        signature = signature and re.sub(pattern, short, signature)
        returned = returned and re.sub(pattern, short, returned)
    return signature, returned


def plain_text(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text for people: what is indented after an empty line is code, and a bar is a bar."""
    # Napoleon takes what stands before a colon in an attribute's first line for its type.
    written: list[str] = [""] if what in ("attribute", "data", "property") else []
    code = False
    for number, line in enumerate(lines):
        indented = line.startswith("    ")
        if indented and not code and number and not lines[number - 1].strip():
            written += ["::", ""]
            code = True
        elif line.strip() and not indented:
            code = False
        written.append(line if code else line.replace("|", "\\|"))
    lines[:] = written


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before napoleon's
    app.connect("missing-reference", resolve_by_home)
    app.connect("autodoc-process-docstring", describe_fields)
