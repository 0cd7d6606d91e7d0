"""What a file is made of, looked at before any decoder is: a scan for each format, within limits, builds the file anew
from the few parts that make the pixels of its first picture. Profiles, texts, thumbnails and further frames, and
whatever a hostile file puts in their place, never reach a decoder."""
