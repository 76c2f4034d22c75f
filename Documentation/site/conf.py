# SPDX-License-Identifier: GPL-2.0-only
"""
The pages as a site: see tools/docs/html, which makes the directory that this works in.

The pages themselves are plain reST, and can be read and converted without any of this. Where
one names another as ``page.rst``, or a function of the reference as ``function()``, the site
has a link.
"""
import os
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

project = "ioevq"
author = "the ioevq authors"
version = release = os.environ["IOEVQ_VERSION"]
root_doc = "index"
highlight_language = "none"
pygments_style = "default"
# Types of the system, which nothing here documents.
nitpick_ignore_regex = [
    ("c:identifier", r"__.*|u?int\d+_t|s?size_t|(sigset|siginfo|clockid|pid|aio_context)_t|"
                     r"iovec|rusage|signalfd_siginfo|ioevq_pool"),
]

html_theme = "alabaster"
html_title = f"ioevq {release}"
html_extra_path = ["extra"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "description": "I/O event queues for Linux",
    "fixed_sidebar": True,
    "page_width": "1300px",
    "sidebar_width": "260px",
    "font_family": "sans-serif",
    "show_powered_by": False,
}
html_static_path = ["style"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}


def documented():
    """What the reference has: functions, and those that are named as a structure is."""
    text = "".join(page.read_text() for page in (Path(__file__).parent / "reference").glob("*.rst"))
    functions = set(re.findall(r"^\.\. c:function::.*?(\w+) \(", text, flags=re.M))
    return functions, functions & set(re.findall(r"^\.\. c:struct:: (\w+)", text, flags=re.M))


FUNCTIONS, AMBIGUOUS = documented()


class Links(SphinxTransform):
    """Names of pages and functions become links; programs get their colours by Sphinx."""
    default_priority = 20

    def apply(self, **kwargs):
        for node in list(self.document.findall(nodes.literal)):
            if not isinstance(node.parent, (nodes.reference, addnodes.pending_xref)):
                node.replace_self(self.linked(node.astext(), node))
        for node in list(self.document.findall(nodes.Text)):
            if isinstance(node.parent, (nodes.paragraph, nodes.emphasis)):
                parts = re.split(r"(\bioevq_\w+\(\))", node.astext())
                if len(parts) > 1:
                    node.parent.replace(node, [self.linked(part, nodes.Text(part))
                                               for part in parts if part])
        for node in list(self.document.findall(nodes.literal_block)):
            if "code" in node["classes"]:
                text = node.astext()
                node.replace_self(nodes.literal_block(text, text, language="c"))

    def linked(self, text, node):
        """@node, or a link that has it in it."""
        page = re.fullmatch(r"(?:Documentation/)?(\w+)\.rst", text)
        function = re.fullmatch(r"(ioevq_\w+)\(\)", text)
        if page and page[1] in self.env.found_docs and page[1] != self.env.docname:
            target = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{page[1]}"}
        elif function and function[1] in FUNCTIONS:
            name = function[1]
            # Sphinx has one name space for both.
            target = {"refdomain": "c", "reftype": "func",
                      "reftarget": f"function.{name}" if name in AMBIGUOUS else name}
        else:
            return node
        return addnodes.pending_xref("", node.deepcopy(), refdoc=self.env.docname,
                                     refexplicit=True, **target)


def setup(app):
    app.add_transform(Links)
    return {"parallel_read_safe": True}
