// A picture as it is sent: {blob, name}.

const LARGEST = 4_000_000; // bytes
const SIDE = 2000; // pixels; a digit that is readable at all is so at this

export async function picture(file, name = file.name || "picture.png") {
  return {blob: file.size > LARGEST ? await smaller(file) : file, name};
}

// Of a large photo, which would take long to send; what the browser cannot read goes as it is, and the server says why not.
async function smaller(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
    return await jpeg(bitmap, 0, 0, bitmap.width, bitmap.height, scale);
  } catch {
    return file;
  }
}

// The square in the middle of what a camera sees.
export function square(video) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const [left, top] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2];
  return jpeg(video, left, top, side, side, Math.min(1, 640 / side));
}

function jpeg(source, left, top, width, height, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(source, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
