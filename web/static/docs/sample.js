// A drawn photo of skin, for those who have none at hand: mottled skin in soft light, with one brown spot.

const [WIDTH, HEIGHT] = [640, 480];
const SKIN = "214 162 142";
const SPOT = "112 70 58";
/** Mottling: [cells across the picture, strength in levels of 0 to 255]. */
const LAYERS = [[4, 10], [24, 7], [160, 9]];

/** The drawing as a JPEG file. */
export function drawSample() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  const pen = canvas.getContext("2d");
  pen.fillStyle = `rgb(${SKIN})`;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  drawSpot(pen);
  for (const [cells, strength] of LAYERS) mottle(pen, cells, strength);
  shade(pen);
  return new Promise((resolve) => {
    canvas.toBlob((blob) => resolve(new File([blob], "skin.jpg", { type: "image/jpeg" })), "image/jpeg", 0.92);
  });
}

function drawSpot(pen) {
  for (let part = 0; part < 9; part++) {
    const [x, y] = [WIDTH / 2 + around(45), HEIGHT / 2 + around(40)];
    const colour = pen.createRadialGradient(x, y, 8, x, y, 55 + around(12));
    colour.addColorStop(0, `rgb(${SPOT} / 60%)`);
    colour.addColorStop(0.75, `rgb(${SPOT} / 45%)`);
    colour.addColorStop(1, `rgb(${SPOT} / 0%)`);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, WIDTH, HEIGHT);
  }
}

/** Make the picture lighter and darker in soft blotches. */
function mottle(pen, cells, strength) {
  const [across, down] = [cells, Math.ceil((cells * HEIGHT) / WIDTH)];
  const small = document.createElement("canvas");
  Object.assign(small, { width: across, height: down });
  const blotches = new ImageData(across, down);
  for (let at = 0; at < blotches.data.length; at += 4) {
    const lighter = Math.random() < 0.5;
    blotches.data.fill(lighter ? 255 : 60, at, at + 3);
    blotches.data[at + 3] = Math.random() * 2 * strength;
  }
  small.getContext("2d").putImageData(blotches, 0, 0);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, 0, 0, WIDTH, HEIGHT);
}

/** Light from one side. */
function shade(pen) {
  const light = pen.createLinearGradient(0, 0, WIDTH, HEIGHT);
  light.addColorStop(0, "rgb(255 255 255 / 8%)");
  light.addColorStop(1, "rgb(40 20 10 / 12%)");
  pen.fillStyle = light;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
}

const around = (spread) => (Math.random() * 2 - 1) * spread;
