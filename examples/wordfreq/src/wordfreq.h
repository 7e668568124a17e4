/* Counts words. Words are runs of letters, compared without regard to case. */
#ifndef WORDFREQ_H
#define WORDFREQ_H

#include <stddef.h>
#include <stdio.h>

typedef struct {
  char *word;
  unsigned long count;
} Entry;

typedef struct {
  Entry *entries;
  size_t used;
  size_t capacity;
} Table;

void table_init(Table *table);
void table_free(Table *table);
/* Adds every word of the stream. Returns 0, or -1 when memory ran out. */
int table_read(Table *table, FILE *stream);
/* Most frequent first, equal counts in alphabetical order. */
void table_sort(Table *table);

#endif
