// The program: global options, logging, then one command.
#include "cli/program.hpp"

int main(int argc, char** argv) { return cli::run_program(argc, argv); }
