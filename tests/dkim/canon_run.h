// Runs a body in wire form through DotReader and BodyCanon, in pieces.
#ifndef OUTBOX_TESTS_DKIM_CANON_RUN_H_
#define OUTBOX_TESTS_DKIM_CANON_RUN_H_

#include <algorithm>
#include <string>
#include <string_view>

#include "dkim/body_canon.h"

namespace outbox::dkim {

class KeptCanon : public BodyCanon {
 public:
  using BodyCanon::BodyCanon;
  std::string text;

 private:
  void Write(std::string_view bytes) override { text += bytes; }
};

// `first`: octets of the first piece; `piece`: of those behind it, at least 1.
inline std::string RunCanon(std::string_view wire, bool relaxed, size_t first, size_t piece) {
  DotReader dots;
  KeptCanon canon(relaxed);
  size_t size = std::min(first, wire.size());
  do {
    dots.Read(wire.substr(0, size), [&](std::string_view text) { canon.Update(text); });
    wire.remove_prefix(size);
    size = std::min(piece, wire.size());
  } while (!wire.empty());
  canon.Finish();
  return canon.text;
}

}  // namespace outbox::dkim

#endif  // OUTBOX_TESTS_DKIM_CANON_RUN_H_
