// What kind of thing a descriptor is: a terminal with a width, or a file, pipe or log.
//
// Promise: terminal_columns gives the width, 80 where there is no telling.
// Errors: none.
// Threads: any.
#pragma once

namespace hangar {

// A terminal that understands "return to the start of the line" (TERM is not "dumb").
bool is_terminal(int fd);
int terminal_columns(int fd);

}  // namespace hangar
