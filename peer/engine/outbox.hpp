#pragma once

#include "peer/engine/io.hpp"

#include <deque>

namespace ppsp::peer {

/// What the engine has decided and the shell has not fetched yet.
class Outbox {
public:
    void push(Output output) { outputs_.push_back(std::move(output)); }
    [[nodiscard]] std::optional<Output> pop()
    {
        if (outputs_.empty()) {
            return std::nullopt;
        }
        Output output = std::move(outputs_.front());
        outputs_.pop_front();
        return output;
    }

private:
    std::deque<Output> outputs_;
};

} // namespace ppsp::peer
