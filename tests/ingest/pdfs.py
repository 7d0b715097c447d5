"""PDF files made on the spot, as small as they can be."""

from __future__ import annotations

import io


def make_pdf(pages, outline=()):
    """A PDF with one page per item: its lines of text (Latin-1), or None for a page without a text layer.

    `outline`: (title, page from 1) rows.
    """
    objects = {1: b"", 2: b"", 3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
    kids = []
    for text in pages:
        content = len(objects) + 1
        stream = _drawn() if text is None else _shown(text)
        objects[content] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
        objects[content + 1] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % content
        )
        kids.append(content + 1)
    objects[2] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    entries = b""
    if outline:
        root = len(objects) + 1
        entries = b"/Outlines %d 0 R" % root
        last = root + len(outline)
        objects[root] = b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>" % (root + 1, last, len(outline))
        for number, (title, page) in enumerate(outline, root + 1):
            onward = b"/Next %d 0 R" % (number + 1) if number < last else b""
            objects[number] = b"<< /Title (%s) /Parent %d 0 R /Dest [%d 0 R /Fit] %s >>" % (
                _escaped(title), root, kids[page - 1], onward)  # fmt: skip
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % entries
    return _file(objects)


def encrypted(data, password="secret"):
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _file(objects):
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number in sorted(objects):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, objects[number]))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table))
    return out.getvalue()


def _shown(text):
    lines = b" T* ".join(b"(%s) Tj" % _escaped(line) for line in text.split("\n"))
    return b"BT /F1 10 Tf 12 TL 40 750 Td %s ET" % lines


def _drawn():
    return b"0.5 g 100 100 200 200 re f"


def _escaped(text):
    return text.encode("latin-1").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
