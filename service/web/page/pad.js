// A sheet to draw on. Strokes are kept, so that the last can be taken back.

export class Pad {
  #strokes = [];
  #drawing = null; // the pointer that draws

  // changed(final): after each piece of a stroke, and at its end.
  constructor(canvas, penWidth, changed) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.clear();
    canvas.onpointerdown = event => {
      if (this.#drawing !== null || event.button) return;
      this.#drawing = event.pointerId;
      canvas.setPointerCapture(event.pointerId);
      this.#strokes.push({width: penWidth(), points: [this.#at(event)]});
      this.#draw();
      changed(false);
    };
    canvas.onpointermove = event => {
      if (event.pointerId !== this.#drawing) return;
      const pieces = event.getCoalescedEvents?.() ?? [];
      this.#strokes.at(-1).points.push(...(pieces.length ? pieces : [event]).map(piece => this.#at(piece)));
      this.#draw();
      changed(false);
    };
    canvas.onpointerup = canvas.onpointercancel = event => {
      if (event.pointerId !== this.#drawing) return;
      this.#drawing = null;
      changed(true);
    };
  }

  get empty() { return this.#strokes.length === 0; }

  undo() {
    this.#strokes.pop();
    this.#drawing = null;
    this.#draw();
  }

  clear() {
    this.#strokes = [];
    this.#drawing = null;
    this.#draw();
  }

  blob() { return new Promise(resolve => this.canvas.toBlob(resolve, "image/png")); }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  #draw() {
    const pen = this.pen;
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    pen.strokeStyle = "#111";
    pen.lineCap = pen.lineJoin = "round";
    for (const {width, points} of this.#strokes) {
      pen.lineWidth = width;
      pen.beginPath();
      pen.moveTo(...points[0]);
      for (const point of points) pen.lineTo(...point);
      pen.stroke();
    }
  }
}
