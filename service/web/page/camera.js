// A dialog with what the camera sees, or the camera of a phone where a page may not have it (plain http).

import {$} from "./answer.js";
import {square} from "./picture.js";

// taken(blob): a JPEG. failed(message)
export function connectCamera(taken, failed) {
  const dialog = $("camera-dialog"), video = $("video");

  async function open() {
    if (!navigator.mediaDevices?.getUserMedia) return $("capture").click();
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}});
      dialog.showModal();
    } catch (error) {
      failed(`the camera cannot be used: ${error.message}`);
    }
  }

  async function take() {
    if (!video.videoWidth) return;
    const blob = await square(video);
    dialog.close();
    taken(blob);
  }

  $("camera").onclick = open;
  $("take").onclick = take;
  $("camera-close").onclick = () => dialog.close();
  dialog.onclose = () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  };
}
