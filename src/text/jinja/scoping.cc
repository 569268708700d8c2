#include "text/jinja/scoping.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <type_traits>

namespace hangar::jinja {
namespace {

using Names = std::set<std::string_view>;

// One scope while its own statements are looked at; those of scopes inside come afterwards, since
// they see all that this one speaks of.
class Frame {
 public:
  explicit Frame(const Frame* parent) : parent_(parent) {}

  void declare(std::string_view name) { known_.insert(name); }
  void read(std::string_view name) {
    if (!is_known(name)) known_.insert(name);
  }
  void store(std::string_view name) {
    stored_.insert(name);
    if (!known_.insert(name).second) return;
    if (parent_ == nullptr || !parent_->is_known(name)) hidden_.insert(name);
  }
  void store(const ast::Target& target) {
    switch (target.form) {
      case ast::Target::Form::kName:
        store(target.name);
        break;
      case ast::Target::Form::kNamespace:
        read(target.name);
        break;
      case ast::Target::Form::kTuple:
        for (const ast::Target& item : target.items) store(item);
        break;
    }
  }
  void declare(const ast::Target& target) {
    if (target.form == ast::Target::Form::kName) declare(target.name);
    for (const ast::Target& item : target.items) declare(item);
  }

  void read(const ast::Expr* expression);
  void read(const ast::CallArgs& args);
  void look_at(const ast::Block& block) {
    for (const ast::Stmt& statement : block) look_at(statement);
  }
  std::vector<std::string> hidden() const { return {hidden_.begin(), hidden_.end()}; }

 private:
  bool is_known(std::string_view name) const {
    return known_.contains(name) || (parent_ != nullptr && parent_->is_known(name));
  }
  void look_at(const ast::Stmt& statement);
  void look_at(const ast::If& node);

  const Frame* parent_;
  Names known_, stored_, hidden_;
};

void Frame::read(const ast::CallArgs& args) {
  for (const auto& value : args.positional) read(value.get());
  for (const auto& [name, value] : args.named) read(value.get());
  read(args.star.get());
  read(args.double_star.get());
}

void Frame::read(const ast::Expr* expression) {
  if (expression == nullptr) return;
  std::visit(
      [this](const auto& node) {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, ast::Name>) {
          read(std::string_view(node.name));
        } else if constexpr (std::is_same_v<Node, ast::Sequence>) {
          for (const auto& item : node.items) read(item.get());
        } else if constexpr (std::is_same_v<Node, ast::Dict>) {
          for (const auto& [key, value] : node.items) {
            read(key.get());
            read(value.get());
          }
        } else if constexpr (std::is_same_v<Node, ast::Attribute>) {
          read(node.base.get());
        } else if constexpr (std::is_same_v<Node, ast::Subscript>) {
          read(node.base.get());
          read(node.key.get());
        } else if constexpr (std::is_same_v<Node, ast::Slice>) {
          for (const auto* part : {&node.base, &node.start, &node.stop, &node.step}) {
            read(part->get());
          }
        } else if constexpr (std::is_same_v<Node, ast::Call>) {
          read(node.callee.get());
          read(node.args);
        } else if constexpr (std::is_same_v<Node, ast::Filter> || std::is_same_v<Node, ast::Test>) {
          read(node.input.get());
          read(node.args);
        } else if constexpr (std::is_same_v<Node, ast::Unary>) {
          read(node.operand.get());
        } else if constexpr (std::is_same_v<Node, ast::Binary> ||
                             std::is_same_v<Node, ast::Logical>) {
          read(node.left.get());
          read(node.right.get());
        } else if constexpr (std::is_same_v<Node, ast::Compare>) {
          read(node.first.get());
          for (const auto& [op, operand] : node.rest) read(operand.get());
        } else if constexpr (std::is_same_v<Node, ast::Concat>) {
          for (const auto& part : node.parts) read(part.get());
        } else if constexpr (std::is_same_v<Node, ast::Conditional>) {
          read(node.condition.get());
          read(node.then.get());
          read(node.otherwise.get());
        }
      },
      expression->node);
}

// Each way through starts from what was known before; what only a way through sets is looked up in
// the context where it was not taken.
void Frame::look_at(const ast::If& node) {
  const Names stored_before = stored_;
  const Names known_before = known_;
  Names known_after = known_;
  const auto way = [&](const ast::Block& block) {
    known_ = known_before;
    look_at(block);
    known_after.insert(known_.begin(), known_.end());
  };
  for (const auto& [condition, body] : node.branches) {
    known_ = known_before;
    read(condition.get());
    known_after.insert(known_.begin(), known_.end());
    way(body);
  }
  way(node.otherwise);
  known_ = std::move(known_after);
  for (const std::string_view name : stored_) {
    if (!stored_before.contains(name)) hidden_.erase(name);
  }
}

void Frame::look_at(const ast::Stmt& statement) {
  std::visit(
      [this](const auto& node) {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, ast::Print>) {
          for (const auto& value : node.values) read(value.get());
        } else if constexpr (std::is_same_v<Node, ast::For>) {
          read(node.iterable.get());
        } else if constexpr (std::is_same_v<Node, ast::If>) {
          look_at(node);
        } else if constexpr (std::is_same_v<Node, ast::Set>) {
          read(node.value.get());
          store(node.target);
        } else if constexpr (std::is_same_v<Node, ast::SetBlock>) {
          store(node.target);
        } else if constexpr (std::is_same_v<Node, ast::Macro>) {
          store(std::string_view(node.name));
        } else if constexpr (std::is_same_v<Node, ast::CallBlock>) {
          read(node.call.get());
        } else if constexpr (std::is_same_v<Node, ast::FilterBlock>) {
          read(node.filter.get());
        } else if constexpr (std::is_same_v<Node, ast::With>) {
          for (const auto& [target, value] : node.assignments) read(value.get());
        }
      },
      statement.node);
}

void mark_scopes_in(ast::Block& block, const Frame& around);

void mark(ast::Body& body, Frame frame) {
  frame.look_at(body.statements);
  body.hidden = frame.hidden();
  mark_scopes_in(body.statements, frame);
}

void mark(ast::Macro& macro, const Frame& around) {
  Frame frame(&around);
  for (const std::string& name : macro.signature.names) frame.declare(name);
  for (const auto& value : macro.signature.defaults) frame.read(value.get());
  for (const char* name : {"caller", "varargs", "kwargs"}) frame.declare(name);
  mark(macro.body, std::move(frame));
}

void mark_scopes_in(ast::Block& block, const Frame& around) {
  for (ast::Stmt& statement : block) {
    std::visit(
        [&around](auto& node) {
          using Node = std::decay_t<decltype(node)>;
          if constexpr (std::is_same_v<Node, ast::For>) {
            Frame frame(&around);
            frame.declare(node.target);
            frame.declare("loop");
            mark(node.body, std::move(frame));
            mark(node.otherwise, Frame(&around));
          } else if constexpr (std::is_same_v<Node, ast::If>) {
            for (auto& [condition, body] : node.branches) mark_scopes_in(body, around);
            mark_scopes_in(node.otherwise, around);
          } else if constexpr (std::is_same_v<Node, ast::SetBlock> ||
                               std::is_same_v<Node, ast::FilterBlock> ||
                               std::is_same_v<Node, ast::Generation>) {
            mark(node.body, Frame(&around));
          } else if constexpr (std::is_same_v<Node, ast::With>) {
            Frame frame(&around);
            for (const auto& [target, value] : node.assignments) frame.declare(target);
            mark(node.body, std::move(frame));
          } else if constexpr (std::is_same_v<Node, ast::Macro>) {
            mark(node, around);
          } else if constexpr (std::is_same_v<Node, ast::CallBlock>) {
            mark(node.caller, around);
          }
        },
        statement.node);
  }
}

}  // namespace

void mark_hidden_names(ast::Body& root) {
  mark(root, Frame(nullptr));
}

}  // namespace hangar::jinja
