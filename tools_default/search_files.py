"""Search the contents of files.

Gate: file_read
Match: regex_pattern
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


async def search_files(
    path: str, regex_pattern: str, glob_filter: str | None = None, recursive: bool = True,
    case_sensitive: bool = True, max_results: int = 100, *, ctx: Context,
) -> dict[str, Any]:  # fmt: skip
    """Find lines in a file or in all files below a directory. Leaves out what .gitignore names, directories such as
    .git, node_modules, build and venv, binary files and files over 1 MiB.

    Args:
        path: Where to search.
        regex_pattern: A Python regular expression, tried on each line by itself; escape ( [ { . * + ? for literal text.
        glob_filter: Only files that fit, such as *.py, src/**/*.ts or *.{c,h}.
        recursive: False searches only the directory itself.
        case_sensitive: False ignores case.
        max_results: Most lines to give, up to 1,000.
    """
    import stat
    from pathlib import Path

    from ralph.errors import ToolError
    from ralph.policy.paths import follow
    from ralph.policy.protected import Protected
    from ralph.tools.files import judged_path, look
    from ralph.tools.search import Search, find_ripgrep

    judged = judged_path(ctx, "path", path)
    mode = look(judged).st_mode
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise ToolError(f"{path} is neither a file nor a directory")
    at = Path(judged.resolved)
    root, only = (at, None) if stat.S_ISDIR(mode) else (at.parent, at.name)
    most = max(1, min(max_results, 1000))
    search = Search(root, regex_pattern, only, glob_filter, recursive, not case_sensitive, most)
    found = await search.run(rg=find_ripgrep(ctx.env.get("PATH")))
    home = next((str(folder.parent) for folder in ctx.scratch.parents if folder.name == "scratch"), "/nonexistent")
    protected = Protected(home, str(ctx.cwd))
    hidden = {name for name in {row[0] for row in found.rows} if protected.why(follow(str(root / name), "/"))}
    results = [
        {"file_path": path if only else str(Path(path, name)), "line_number": number, "line_content": line,
         "match_context": context}
        for name, number, line, context in found.rows if name not in hidden
    ]  # fmt: skip
    result = {"results": results, "total_matches": len(results), "files_searched": found.looked_at,
              "truncated": found.more or not found.ended, "success": True}  # fmt: skip
    if not found.ended:
        return {**result, "note": f"stopped after {search.seconds:g} s: narrow the path or simplify the pattern"}
    return result
