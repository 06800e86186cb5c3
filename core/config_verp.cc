#include "core/config_verp.h"

#include <string>

namespace outbox::core {

void ReadVerp(ConfigReader* reader, RouteConfig* route, ConfigProblems* problems) {
  ConfigText text;
  if (!reader->Text("verp", &text)) return;
  const std::string& pair = text.text;
  if (pair.size() != 2 || pair[0] == pair[1] ||
      pair.find_first_not_of(kVerpSeparators) != std::string::npos) {
    problems->Expect(text, "is no pair of separators",
                     "two different ones of \"+\", \"=\" and \"-\", for example \"+=\"");
    return;
  }
  if (route->action != RouteAction::kSend || (!route->via.empty() && route->via[0].lmtp)) {
    problems->Add(
        text.position,
        "\"verp\" is for mail that is sent by SMTP; expected it in a route with \"mx\" or "
        "such hosts in \"via\"");
    return;
  }
  route->verp = pair;
}

}  // namespace outbox::core
