// From argv to a command's exit status. Nothing is prepared before it is known what is wanted: --version takes about a
// millisecond.
#pragma once

namespace cli {

int run_program(int argc, char** argv);

} // namespace cli
