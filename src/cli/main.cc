#include "cli/cli.h"

int main(int argc, char** argv) {
  return hangar::run_cli(argc, argv);
}
