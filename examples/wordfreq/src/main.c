#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wordfreq.h"

#ifndef VERSION
#define VERSION "development"
#endif

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--version") == 0) {
    puts("wordfreq " VERSION);
    return 0;
  }
  size_t top = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
  Table table;
  table_init(&table);
  if (table_read(&table, stdin) != 0) {
    fputs("wordfreq: out of memory\n", stderr);
    return 1;
  }
  table_sort(&table);
  for (size_t i = 0; i < table.used && i < top; ++i) printf("%7lu %s\n", table.entries[i].count, table.entries[i].word);
  table_free(&table);
  return 0;
}
