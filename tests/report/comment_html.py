"""What GitHub's own Markdown renderer makes of a comment: tags, links, text, HTML comments."""

from __future__ import annotations

from html.parser import HTMLParser

from cmarkgfm.cmark import Options, markdown_to_html_with_extensions

_VOID = ("br", "img", "input", "hr")
EXTENSIONS = ["table", "autolink", "tagfilter", "strikethrough", "tasklist"]


class CommentHtml(HTMLParser):
    """A comment after rendering."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.comments: list[str] = []
        self.prose: list[str] = []
        """Text that stands in no code: where a site looks for mentions."""
        self._open: list[str] = []
        self.misnested: list[str] = []
        options = Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_UNSAFE
        self.feed(markdown_to_html_with_extensions(markdown, options, EXTENSIONS))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and (not self._open or self._open.pop() != tag):
            self.misnested.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self._open):
            self.prose.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())
