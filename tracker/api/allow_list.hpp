#pragma once

#include "protocol/base/result.hpp"

#include <string>
#include <string_view>
#include <unordered_set>

namespace ppsp::tracker {

/// The swarms that a tracker serves, when it does not serve everybody.
class AllowList {
public:
    /// One swarm id per line, in lower-case hex or not; blank lines and what follows `#` are
    /// ignored. The error says which line and why.
    [[nodiscard]] static Result<AllowList, std::string> parse(std::string_view text);

    [[nodiscard]] bool contains(std::string const& swarm_id) const
    {
        return swarm_ids_.contains(swarm_id);
    }
    [[nodiscard]] std::size_t size() const { return swarm_ids_.size(); }

private:
    std::unordered_set<std::string> swarm_ids_;
};

} // namespace ppsp::tracker
