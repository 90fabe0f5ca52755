#pragma once

#include "peer/channel/channel.hpp"
#include "peer/engine/io.hpp"

#include <unordered_map>

namespace ppsp::peer {

class Swarm;

/// Who listens on which channel number, over all swarms of a node.
class ChannelTable {
public:
    struct Place {
        Swarm* swarm = nullptr;
        Channel* channel = nullptr;
    };

    explicit ChannelTable(RandomSource& random) : random_(&random) {}

    /// A number that is random, not 0 and not in use (PP-3.11-a, PP-8.3-a).
    [[nodiscard]] ChannelId unused_id()
    {
        for (;;) {
            ChannelId const id{static_cast<std::uint32_t>(random_->next())};
            if (to_number(id) != 0 && !places_.contains(id)) {
                return id;
            }
        }
    }
    void add(ChannelId id, Place place) { places_[id] = place; }
    void remove(ChannelId id) { places_.erase(id); }
    [[nodiscard]] Place find(ChannelId id) const
    {
        auto const at = places_.find(id);
        return at == places_.end() ? Place{} : at->second;
    }

private:
    RandomSource* random_;
    std::unordered_map<ChannelId, Place> places_;
};

} // namespace ppsp::peer
