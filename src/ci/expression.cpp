#include "ci/expression.hpp"

#include <re2/re2.h>

#include <optional>
#include <variant>

#include "base/strings.hpp"

namespace ci {
namespace {
constexpr std::size_t kMaxTokens = 100;

enum class Token {
  kOpen,
  kClose,
  kVariable,
  kString,
  kPattern,
  kNull,
  kEqual,
  kMatch,
  kNotEqual,
  kNotMatch,
  kAnd,
  kOr
};
struct Lexeme {
  Token token;
  std::string text;
};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

base::Result<std::vector<Lexeme>> invalid() {
  return base::fail(base::ErrorKind::kInvalidInput, "invalid expression syntax");
}

// At least two characters between the slashes: that is how upstream's lexer is written.
const RE2& pattern_token() {
  static const RE2 regex(R"((/(?:[^/]|\\/)+[^\\]/[ismU]*))", RE2::Quiet);
  return regex;
}

std::optional<Lexeme> next(std::string_view& rest) {
  auto take = [&](std::size_t length, Token token, std::string text) {
    rest.remove_prefix(length);
    return Lexeme{token, std::move(text)};
  };
  char c = rest.front();
  if (c == '(') return take(1, Token::kOpen, "(");
  if (c == ')') return take(1, Token::kClose, ")");
  if (c == '$') {
    std::size_t end = 1;
    while (end < rest.size() && is_word(rest[end])) ++end;
    if (end == 1) return std::nullopt;
    return take(end, Token::kVariable, std::string(rest.substr(1, end - 1)));
  }
  if (c == '"' || c == '\'') {
    std::size_t close = rest.find(c, 1);
    if (close == std::string_view::npos || rest.substr(0, close).find('\n') != std::string_view::npos)
      return std::nullopt;
    return take(close + 1, Token::kString, std::string(rest.substr(1, close - 1)));
  }
  if (c == '/') {
    std::string matched;
    re2::StringPiece input(rest.data(), rest.size());
    if (!RE2::Consume(&input, pattern_token(), &matched)) return std::nullopt;
    return take(matched.size(), Token::kPattern, matched);
  }
  static constexpr std::pair<std::string_view, Token> kWords[] = {
      {"null", Token::kNull},   {"==", Token::kEqual}, {"=~", Token::kMatch}, {"!=", Token::kNotEqual},
      {"!~", Token::kNotMatch}, {"&&", Token::kAnd},   {"||", Token::kOr}};
  for (auto [word, token] : kWords)
    if (rest.starts_with(word)) return take(word.size(), token, std::string(word));
  return std::nullopt;
}

base::Result<std::vector<Lexeme>> lex(std::string_view rest) {
  std::vector<Lexeme> lexemes;
  while (true) {
    while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    if (rest.empty()) return lexemes;
    auto lexeme = next(rest);
    if (!lexeme || lexemes.size() >= kMaxTokens) return invalid();
    lexemes.push_back(std::move(*lexeme));
  }
}

// A Ruby value: nil, a string, true or false.
using Operand = std::variant<std::monostate, std::string, bool>;

bool ruby_true(const Operand& value) {
  if (std::holds_alternative<std::monostate>(value)) return false;
  return !std::holds_alternative<bool>(value) || std::get<bool>(value);
}

bool present(const Operand& value) {
  if (auto* flag = std::get_if<bool>(&value)) return *flag;
  auto* text = std::get_if<std::string>(&value);
  return text != nullptr && !base::trim(*text).empty();
}

bool matches(const Operand& left, const Operand& right, const std::shared_ptr<const RE2>& literal) {
  auto* text = std::get_if<std::string>(&left);
  std::string_view subject = text != nullptr ? std::string_view(*text) : std::string_view();
  if (literal) return regex_matches(*literal, subject);
  auto* pattern = std::get_if<std::string>(&right);
  if (pattern == nullptr) return false;
  if (pattern->size() >= 2 && pattern->front() == '/') {
    if (auto regex = compile_slashed_regex(*pattern)) return regex_matches(*regex, subject);
  }
  return pattern->find(subject) != std::string::npos;
}
} // namespace

std::shared_ptr<const RE2> compile_regex(std::string_view pattern) {
  RE2::Options options(RE2::Quiet);
  auto regex = std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  return regex->ok() ? regex : nullptr;
}

std::shared_ptr<const RE2> compile_slashed_regex(std::string_view text) {
  std::size_t last = text.rfind('/');
  if (text.size() < 2 || text.front() != '/' || last == 0) return nullptr;
  std::string_view flags = text.substr(last + 1);
  if (flags.find_first_not_of("ismU") != std::string_view::npos) return nullptr;
  std::string pattern = base::replace_all(text.substr(1, last - 1), "\\/", "/");
  if (!flags.empty()) pattern = "(?" + std::string(flags) + ")" + pattern;
  return compile_regex(pattern);
}

bool regex_matches(const RE2& regex, std::string_view text) {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), regex);
}

// Recursive descent over at most kMaxTokens lexemes; emits postfix order.
class ExpressionParser {
 public:
  using Op = Expression::Op;
  explicit ExpressionParser(std::vector<Lexeme> lexemes) : lexemes_(std::move(lexemes)) {}

  bool run() { return disjunction() && at_ == lexemes_.size(); }
  std::vector<Expression::Item> take() { return std::move(out_); }

 private:
  bool eat(Token token) {
    if (at_ >= lexemes_.size() || lexemes_[at_].token != token) return false;
    ++at_;
    return true;
  }
  void emit(Op op, std::string text = {}, std::shared_ptr<const RE2> regex = {}) {
    out_.push_back({op, std::move(text), std::move(regex)});
  }

  bool disjunction() {
    if (!conjunction()) return false;
    while (eat(Token::kOr)) {
      if (!conjunction()) return false;
      emit(Op::kOr);
    }
    return true;
  }
  bool conjunction() {
    if (!comparison()) return false;
    while (eat(Token::kAnd)) {
      if (!comparison()) return false;
      emit(Op::kAnd);
    }
    return true;
  }
  bool comparison() {
    if (!primary()) return false;
    while (at_ < lexemes_.size()) {
      std::optional<Op> op;
      switch (lexemes_[at_].token) {
        case Token::kEqual:
          op = Op::kEqual;
          break;
        case Token::kNotEqual:
          op = Op::kNotEqual;
          break;
        case Token::kMatch:
          op = Op::kMatch;
          break;
        case Token::kNotMatch:
          op = Op::kNotMatch;
          break;
        default:
          return true;
      }
      ++at_;
      if (!primary()) return false;
      emit(*op);
    }
    return true;
  }
  bool primary() {
    if (at_ >= lexemes_.size()) return false;
    Lexeme& lexeme = lexemes_[at_++];
    switch (lexeme.token) {
      case Token::kOpen:
        return disjunction() && eat(Token::kClose);
      case Token::kVariable:
        emit(Op::kVariable, std::move(lexeme.text));
        return true;
      case Token::kString:
        emit(Op::kString, std::move(lexeme.text));
        return true;
      case Token::kNull:
        emit(Op::kNull);
        return true;
      case Token::kPattern: {
        auto regex = compile_slashed_regex(lexeme.text);
        if (!regex) return false;
        emit(Op::kPattern, std::move(lexeme.text), std::move(regex));
        return true;
      }
      default:
        return false;
    }
  }

  std::vector<Lexeme> lexemes_;
  std::size_t at_ = 0;
  std::vector<Expression::Item> out_;
};

base::Result<Expression> Expression::parse(std::string_view text) {
  ExpressionParser parser(FR_TRY(lex(text)));
  if (!parser.run()) return base::fail(base::ErrorKind::kInvalidInput, "invalid expression syntax");
  Expression expression;
  expression.postfix_ = parser.take();
  return expression;
}

bool Expression::evaluate(const base::Lookup& lookup) const {
  struct Value {
    Operand operand;
    std::shared_ptr<const RE2> regex;
  };
  std::vector<Value> stack;
  for (const Item& item : postfix_) {
    switch (item.op) {
      case Op::kVariable: {
        auto value = lookup(item.text);
        stack.push_back({value ? Operand(std::move(*value)) : Operand(), nullptr});
        continue;
      }
      case Op::kString:
        stack.push_back({item.text, nullptr});
        continue;
      case Op::kNull:
        stack.push_back({Operand(), nullptr});
        continue;
      case Op::kPattern:
        stack.push_back({item.text, item.regex});
        continue;
      default:
        break;
    }
    Value right = std::move(stack.back());
    stack.pop_back();
    Value& left = stack.back();
    switch (item.op) {
      case Op::kEqual:
        left = {left.operand == right.operand, nullptr};
        break;
      case Op::kNotEqual:
        left = {left.operand != right.operand, nullptr};
        break;
      case Op::kMatch:
        left = {matches(left.operand, right.operand, right.regex), nullptr};
        break;
      case Op::kNotMatch:
        left = {!matches(left.operand, right.operand, right.regex), nullptr};
        break;
      case Op::kAnd:
        if (ruby_true(left.operand)) left = std::move(right);
        break;
      case Op::kOr:
        if (!ruby_true(left.operand)) left = std::move(right);
        break;
      default:
        break;
    }
  }
  return present(stack.back().operand);
}

std::vector<std::string> Expression::variables() const {
  std::vector<std::string> names;
  for (const Item& item : postfix_)
    if (item.op == Op::kVariable && std::find(names.begin(), names.end(), item.text) == names.end())
      names.push_back(item.text);
  return names;
}

} // namespace ci
