import { createRequire } from "node:module";
import { type Instant, toDate, toRfc3339 } from "@remit/kernel";
import PDFDocument from "pdfkit";

const { resolve } = createRequire(import.meta.url);
/** Embedded, so that a name looks the same on every machine. Its digits are all of one width. */
const faces = {
  regular: resolve("dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf"),
  bold: resolve("dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf"),
};

export const page = { left: 56, right: 539, top: 56, bottom: 770 };
export const ink = "#16202a";
export const quiet = "#6b7680";
const hairline = "#d9dee2";

export type Paper = PDFKit.PDFDocument;

/** Papers of ours as PDFs. The same content gives the same bytes: no clock, no chance, no machine goes into them. */
export function drawn(
  of: { readonly title: string; readonly author: string; readonly at: Instant },
  draw: (paper: Paper) => void,
): Promise<Uint8Array> {
  const paper = new PDFDocument({
    size: "A4",
    margin: page.left,
    bufferPages: true,
    lang: "en",
    pdfVersion: "1.7",
    info: {
      Title: of.title,
      Author: of.author,
      Creator: "Remit",
      Producer: "Remit",
      CreationDate: toDate(of.at),
      ModDate: toDate(of.at),
    },
  });
  paper.registerFont("regular", faces.regular);
  paper.registerFont("bold", faces.bold);
  const chunks: Uint8Array[] = [];
  return new Promise((done, failed) => {
    paper.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    paper.on("error", failed);
    paper.on("end", () => done(new Uint8Array(Buffer.concat(chunks))));
    draw(paper);
    paper.end();
  });
}

/** At the foot of every page what it is of, and which one. */
export function drawFeet(paper: Paper, title: string): void {
  const { start, count } = paper.bufferedPageRange();
  for (let index = start; index < start + count; index++) {
    paper.switchToPage(index);
    // Below the margin, where text would otherwise begin a page of its own.
    paper.page.margins.bottom = 0;
    write(paper, title, { x: page.left, y: 800, width: 300, size: 7.5, colour: quiet });
    const place = { x: 400, y: 800, width: 139, right: true };
    write(paper, `${index + 1} / ${count}`, { ...place, size: 7.5, colour: quiet });
  }
}

export const dayOf = (at: Instant): string => toRfc3339(at).slice(0, 10);

/** Where text stands and how it looks. */
type Style = {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly right?: boolean;
  readonly size?: number;
  readonly colour?: string;
  readonly bold?: boolean;
};

/** Answers where the next line may begin. */
export function write(paper: Paper, text: string, style: Style): number {
  const { x, y, width, right = false, size = 9, colour = ink, bold = false } = style;
  paper
    .font(bold ? "bold" : "regular")
    .fontSize(size)
    .fillColor(colour);
  paper.text(text, x, y, { width, align: right ? "right" : "left", lineGap: 2 });
  return paper.y;
}

export const rule = (paper: Paper, y: number, colour = hairline): void =>
  void paper.moveTo(page.left, y).lineTo(page.right, y).lineWidth(0.7).strokeColor(colour).stroke();

/** `1 234 567.80`, with thin spaces: no country's sign is mistaken for another's. */
export const grouped = (digits: string): string =>
  digits.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, "\u2009");
