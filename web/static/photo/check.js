// A quick check of a photo on this device, before it is sent: size, sharpness and light. It uses the limits of
// ml/skin/quality.py at half of the grade, on the middle of the photo, because the skin is not yet known.

const LONG_SIDE = 512; // of the copy that is checked, in pixels; that of the service's working copy
const MIDDLE = 0.6; // share of the width and of the height

const LEAST_SIDE = 250; // pixels
const LEAST_SHARPNESS = 9.5; // variance of the Laplacian, scaled to a mean grey of 128
const LEAST_LIGHT = 32; // 90th percentile of the brightest channel
const MOST_LIGHT = 239; // median of the darkest channel
const MOST_CLIPPED = 0.1; // share of the pixels with a channel of 254 or more

const ADVICE = {
  small: ["The photo is small, so fine detail is missing.", "Send the original photo, or move closer."],
  dark: ["The photo is dark.", "Use daylight or a brighter room."],
  bright: ["The photo is too bright.", "Turn off the flash, or move out of direct light."],
  glare: ["Part of the photo is so bright that its colour is lost.", "Avoid glare: tilt the camera slightly."],
  blurred: ["The photo looks blurred.", "Hold still and tap to focus."],
};

/**
 * The problems of a photo: [{code, message, advice}], worst first. null if this browser cannot read the format.
 * `source` is a File.
 */
export async function check(source) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(source);
  } catch {
    return null;
  }
  const found = checkPicture(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return found;
}

/** The problems of anything that a canvas can draw, such as a video, of `width` × `height` pixels. */
export function checkPicture(picture, width, height) {
  const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const canvas = document.createElement("canvas");
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, w, h);
  const [x, y] = [Math.round(w * (1 - MIDDLE) / 2), Math.round(h * (1 - MIDDLE) / 2)];
  const middle = context.getImageData(x, y, Math.max(1, w - 2 * x), Math.max(1, h - 2 * y));
  return problems(middle, Math.min(width, height));
}

/** The problems in `pixels` (ImageData) of a photo whose shorter side has `side` pixels. */
export function problems(pixels, side) {
  const { grey, highest, lowest, clipped } = channels(pixels);
  const light = percentile(highest, 0.9);
  const codes = [
    light < LEAST_LIGHT && "dark",
    percentile(lowest, 0.5) > MOST_LIGHT && "bright",
    clipped > MOST_CLIPPED && "glare",
    sharpness(grey, pixels.width) < LEAST_SHARPNESS && "blurred",
    side < LEAST_SIDE && "small",
  ].filter(Boolean);
  return codes.map((code) => ({ code, message: ADVICE[code][0], advice: ADVICE[code][1] }));
}

function channels({ data }) {
  const count = data.length / 4;
  const [grey, highest, lowest] = [new Float32Array(count), new Uint8Array(count), new Uint8Array(count)];
  let clipped = 0;
  for (let pixel = 0; pixel < count; pixel++) {
    const [r, g, b] = [data[4 * pixel], data[4 * pixel + 1], data[4 * pixel + 2]];
    grey[pixel] = 0.299 * r + 0.587 * g + 0.114 * b; // ITU-R BT.601
    highest[pixel] = Math.max(r, g, b);
    lowest[pixel] = Math.min(r, g, b);
    if (highest[pixel] >= 254) clipped += 1;
  }
  return { grey, highest, lowest, clipped: clipped / count };
}

/** The variance of the Laplacian, scaled to a mean grey of 128, so that dark skin does not count as blurred. */
function sharpness(grey, width) {
  const height = grey.length / width;
  let [sum, squares, count, total] = [0, 0, 0, 0];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const edge = grey[at - 1] + grey[at + 1] + grey[at - width] + grey[at + width] - 4 * grey[at];
      sum += edge;
      squares += edge * edge;
      total += grey[at];
      count += 1;
    }
  }
  if (!count) return 0;
  const mean = Math.max(1, total / count);
  return (squares / count - (sum / count) ** 2) * (128 / mean) ** 2;
}

function percentile(values, share) {
  return Uint8Array.from(values).sort()[Math.floor(share * (values.length - 1))];
}
