#include "wordfreq.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 256 };

static size_t slot_of(const Table *table, const char *word) {
  size_t hash = 5381;
  for (const char *c = word; *c != '\0'; ++c) hash = hash * 33 + (unsigned char)*c;
  size_t slot = hash & (table->capacity - 1);
  while (table->entries[slot].word != NULL && strcmp(table->entries[slot].word, word) != 0)
    slot = (slot + 1) & (table->capacity - 1);
  return slot;
}

static int grow(Table *table) {
  Table bigger = {calloc(table->capacity ? table->capacity * 2 : 64, sizeof(Entry)), table->used,
                  table->capacity ? table->capacity * 2 : 64};
  if (bigger.entries == NULL) return -1;
  for (size_t i = 0; i < table->capacity; ++i)
    if (table->entries[i].word != NULL) bigger.entries[slot_of(&bigger, table->entries[i].word)] = table->entries[i];
  free(table->entries);
  *table = bigger;
  return 0;
}

static int add(Table *table, const char *word) {
  if (table->used * 2 >= table->capacity && grow(table) != 0) return -1;
  Entry *entry = &table->entries[slot_of(table, word)];
  if (entry->word == NULL) {
    entry->word = strdup(word);
    if (entry->word == NULL) return -1;
    ++table->used;
  }
  ++entry->count;
  return 0;
}

void table_init(Table *table) { memset(table, 0, sizeof *table); }

void table_free(Table *table) {
  for (size_t i = 0; i < table->capacity; ++i) free(table->entries[i].word);
  free(table->entries);
  table_init(table);
}

int table_read(Table *table, FILE *stream) {
  char word[LONGEST_WORD];
  size_t length = 0;
  int c;
  do {
    c = getc(stream);
    if (c != EOF && isalpha(c)) {
      if (length + 1 < sizeof word) word[length++] = (char)tolower(c);
    } else if (length > 0) {
      word[length] = '\0';
      length = 0;
      if (add(table, word) != 0) return -1;
    }
  } while (c != EOF);
  return 0;
}

static int by_count(const void *left, const void *right) {
  const Entry *a = left;
  const Entry *b = right;
  if (a->word == NULL || b->word == NULL) return (a->word == NULL) - (b->word == NULL);
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  return strcmp(a->word, b->word);
}

void table_sort(Table *table) {
  if (table->capacity > 0) qsort(table->entries, table->capacity, sizeof(Entry), by_count);
}
