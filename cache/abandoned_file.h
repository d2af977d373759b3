// What is left of a file when a library that maps it cannot be used any more.
#pragma once

namespace cairn {

// Ends every map and every descriptor that this process has of the file behind `fd`, `fd` among them, so that its room
// on the disk comes back once it is removed. Whoever made them is left with neither: he was interrupted in the middle
// and must never run again. Without /proc nothing happens. Thread-safety: no other thread may use the file.
void give_back_file(int fd);

}  // namespace cairn
