#pragma once

#include "peer/engine/io.hpp"

#include <vector>

namespace ppsp::peer {

/// What the engine has decided and the shell has not fetched yet, in memory that stays.
class Outbox {
public:
    void push(Output output) { outputs_.push_back(std::move(output)); }
    [[nodiscard]] std::optional<Output> pop()
    {
        if (next_ == outputs_.size()) {
            outputs_.clear();
            next_ = 0;
            return std::nullopt;
        }
        return std::move(outputs_[next_++]);
    }

private:
    std::vector<Output> outputs_;
    std::size_t next_ = 0; ///< the shell fetches until nothing is left, so the front may stay
};

} // namespace ppsp::peer
