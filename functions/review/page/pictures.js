// Pictures: two faces side by side at equal size, zoomed together, and where the face was in the camera's picture.
// They are drawn on canvases: nothing of them is ever in an address, a cache or the page's text.

import { ApiFault, advice, patient, picture } from "/console/api.js";
import { button, el, key } from "/console/page.js";

// Of the face's longer side, on each side of it. Small: the evidence picture holds little more than the face, and what
// the list's picture shows beyond that cannot be compared.
const MARGIN = 0.12;
const ZOOMS = [1, 1.25, 1.5, 2, 2.5, 3];
const BACKGROUND = "#808080";

/** The picture at that path, upright. */
export async function load(path, signal) {
  const blob = await patient(() => picture(path, { signal }), { signal });
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new ApiFault(422, "not_a_picture", "the picture cannot be opened");
  }
}

/** The square that shows a face: its longer side with a margin. Without a face the whole picture. Pixels. */
export function square(face, width, height) {
  if (!face) {
    const side = Math.max(width, height);
    return { x: (width - side) / 2, y: (height - side) / 2, side };
  }
  const side = Math.max(face.width, face.height) * (1 + 2 * MARGIN);
  return { x: face.x + face.width / 2 - side / 2, y: face.y + face.height / 2 - side / 2, side };
}

/** Probe and reference at equal size. `notice` has `evidence`, `face` and `references`; see docs/api.md. */
export class Faces {
  #signal;
  #said;
  #zoom = 0;
  #centre = { x: 0.5, y: 0.5 }; // of the squares, the same in both
  #shown = 0; // which reference
  #probe;
  #references = new Map();
  #views = {};
  #sizes = new ResizeObserver(() => this.#draw());

  /** `keys`: the page has keys for these buttons, so they show them. */
  constructor(said, { signal, keys = false, ready = () => {}, failed = () => {} }) {
    this.#said = said;
    this.#signal = signal;
    this.ready = ready;
    this.failed = failed;
    this.element = this.#build(keys);
  }

  get complete() { return Boolean(this.#probe && this.#references.get(this.#shown)); }

  async open() {
    const results = await Promise.allSettled([this.#openProbe(), this.#openReference(0)]);
    if (this.#signal.aborted) return;
    const fault = results.find((result) => result.status === "rejected")?.reason;
    if (fault) this.#fail(fault);
    else this.ready();
  }

  close() {
    this.#sizes.disconnect();
    for (const bitmap of [this.#probe, ...this.#references.values()]) bitmap?.close?.();
    this.#probe = undefined;
    this.#references.clear();
    this.element.remove();
  }

  /** Zoom both by so many steps; 0 is back to the whole. */
  zoom(steps) {
    this.#zoom = steps === 0 ? 0 : Math.min(ZOOMS.length - 1, Math.max(0, this.#zoom + steps));
    if (this.#zoom === 0) this.#centre = { x: 0.5, y: 0.5 };
    this.#views.zoomed.textContent = zoomed(this.#zoom);
    this.#draw();
  }

  /** Look at another part of both: by a share of the square. */
  move(right, down) {
    this.#look(this.#centre.x + right, this.#centre.y + down);
  }

  /** Another reference of the entry. */
  async step(by) {
    const count = this.#said.references.length;
    if (count < 2) return;
    this.#shown = (this.#shown + by + count) % count;
    this.#captions();
    this.#draw();
    try {
      await this.#openReference(this.#shown);
      if (this.#probe) this.ready();
    } catch (fault) {
      if (!this.#signal.aborted) this.#fail(fault);
    }
  }

  async #openProbe() {
    this.#probe ??= await load(this.#said.evidence, this.#signal);
    this.#captions();
    this.#draw();
    this.#scene();
  }

  async #openReference(index) {
    if (!this.#references.has(index)) {
      this.#references.set(index, await load(this.#said.references[index].path, this.#signal));
    }
    this.#captions();
    this.#draw();
  }

  #fail(fault) {
    if (!this.element.isConnected) return;
    this.#views.fault.replaceChildren(
      el("p", {}, `A picture could not be shown. ${advice(fault)}`),
      button("Load the pictures again", () => { this.#views.fault.replaceChildren(); this.open(); }),
    );
    this.failed(fault);
  }

  #build(keys) {
    const { references } = this.#said;
    const keyed = (text, shown, name, act) => button(keys ? [`${text} `, key(shown)] : text, act, keys ? { "aria-keyshortcuts": name } : {});
    const canvas = (name) => el("canvas", { role: "img", "aria-label": `${name}: loading`, class: "face" });
    this.#views = {
      probe: canvas("Face from the camera"),
      reference: canvas("Face from the list"),
      probeText: el("span"),
      referenceText: el("span"),
      zoomed: el("output", {}, zoomed(0)),
      fault: el("div", { class: "fault", role: "alert" }),
      scene: el("canvas", { role: "img", class: "scene", "aria-label": "The camera's picture: loading" }),
    };
    for (const face of [this.#views.probe, this.#views.reference]) {
      face.addEventListener("click", (event) => this.#tapped(event, face));
      this.#sizes.observe(face);
    }
    const steps = references.length > 1 && el("div", { class: "steps", role: "group", "aria-label": "Pictures of the list" },
      keyed("Previous", "[", "[", () => this.step(-1)),
      keyed("Next", "]", "]", () => this.step(1)));
    return el("div", { class: "pictures" },
      el("div", { class: "pair" },
        el("figure", {}, this.#views.probe, el("figcaption", {}, el("strong", {}, "From the camera"), this.#views.probeText)),
        el("figure", {}, this.#views.reference,
          el("figcaption", {}, el("strong", {}, "From the list"), this.#views.referenceText))),
      el("div", { class: "tools" },
        el("div", { class: "steps", role: "group", "aria-label": "Zoom of both faces" },
          keyed("Smaller", "−", "-", () => this.zoom(-1)),
          keyed("Larger", "+", "+", () => this.zoom(1)),
          this.#views.zoomed),
        steps),
      this.#views.fault,
      el("figure", { class: "where" }, this.#views.scene, el("figcaption", {},
        "Where it was in the camera's picture: the box marks the face above. All else is left out on purpose.")));
  }

  #captions() {
    const { references, face, place, camera } = this.#said;
    const many = references.length;
    const reference = references[this.#shown];
    const bitmap = this.#references.get(this.#shown);
    const which = many > 1 ? `picture ${this.#shown + 1} of ${many}` : "one picture";
    this.#views.probeText.textContent = this.#probe ? wide(face) : "loading";
    this.#views.referenceText.textContent = bitmap ? `${which}, ${wide(reference.face)}` : `${which}, loading`;
    label(this.#views.probe, `Face of somebody before the camera ${camera}, ${place}, ${wide(face)}`);
    label(this.#views.reference, `Face of the person on the list, ${which}, ${wide(reference?.face)}`);
  }

  #tapped(event, canvas) {
    if (this.#zoom === 0) return;
    const box = canvas.getBoundingClientRect();
    const seen = 1 / ZOOMS[this.#zoom];
    this.#look(this.#centre.x + ((event.clientX - box.left) / box.width - 0.5) * seen,
      this.#centre.y + ((event.clientY - box.top) / box.height - 0.5) * seen);
  }

  #look(x, y) {
    const edge = 0.5 / ZOOMS[this.#zoom];
    const within = (value) => Math.min(1 - edge, Math.max(edge, value));
    this.#centre = { x: within(x), y: within(y) };
    this.#draw();
  }

  #draw() {
    this.#face(this.#views.probe, this.#probe, this.#said.face);
    this.#face(this.#views.reference, this.#references.get(this.#shown), this.#said.references[this.#shown]?.face);
  }

  #face(canvas, bitmap, face) {
    const pixels = Math.max(1, Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)));
    if (canvas.width !== pixels || canvas.height !== pixels) canvas.width = canvas.height = pixels;
    const context = canvas.getContext("2d");
    context.fillStyle = BACKGROUND;
    context.fillRect(0, 0, pixels, pixels);
    if (!bitmap) return;
    const { x, y, side } = square(face, bitmap.width, bitmap.height);
    const seen = side / ZOOMS[this.#zoom];
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, x + side * this.#centre.x - seen / 2, y + side * this.#centre.y - seen / 2, seen, seen,
      0, 0, pixels, pixels);
    canvas.dataset.drawn = "yes";
  }

  #scene() {
    const { scene } = this.#views;
    const { face, place, camera } = this.#said;
    scene.width = this.#probe.width;
    scene.height = this.#probe.height;
    scene.getContext("2d").drawImage(this.#probe, 0, 0); // the box is in the picture already
    label(scene, `The camera's picture, ${camera}, ${place}. ${face ? whereabouts(face, scene) : "It is not recorded where the face is"}.`);
  }
}

function whereabouts(face, { width, height }) {
  const third = (value, whole, names) => names[Math.min(2, Math.floor((3 * value) / whole))];
  const across = third(face.x + face.width / 2, width, ["left", "middle", "right"]);
  const down = third(face.y + face.height / 2, height, ["top", "middle", "bottom"]);
  return `The face is at the ${down === across ? "middle" : `${down} ${across}`}`;
}

const zoomed = (step) => (step === 0 ? "" : `${ZOOMS[step]} times`);
const wide = (face) => (face ? `face ${face.width} pixels wide` : "whole picture");

function label(canvas, text) {
  canvas.setAttribute("aria-label", text);
}
