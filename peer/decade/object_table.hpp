#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/decade/ni_name.hpp"
#include "protocol/decade/token.hpp"

#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace ppsp::peer {

using decade::NiName;
using decade::UnixSeconds;

/// What a store knows about an object besides its bytes (RFC 7069 §6.2.3).
struct ObjectMeta {
    NiName name;
    std::uint64_t size = 0;
    UnixSeconds stored_at = 0;
    UnixSeconds expires = 0;
    std::string media_type;
    ByteVector swarm_id; ///< of verified signed units; empty for other bytes
    std::optional<ChunkRange> chunks;
    std::string owner; ///< id of the token that stored it
    friend bool operator==(ObjectMeta const&, ObjectMeta const&) = default;
};

/// Which objects a store holds, which one goes next, and where chunks are. Only a table: files are
/// `ObjectFiles`. Pure.
class ObjectTable {
public:
    /// Objects at a time: about 300 bytes of memory each.
    static constexpr std::size_t objects_max = 1'000'000;

    explicit ObjectTable(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    struct Entry {
        ObjectMeta meta;
        std::uint64_t reads = 0;
        UnixSeconds last_read = 0;
        bool is_verified = false; ///< its bytes were hashed since the program began
    };

    /// Room for an object: what has to go for it, longest unused first. Nullopt if it does not fit
    /// even into an empty store beside what is reserved already. The caller removes the files, and
    /// ends the reservation with `insert` or `release`.
    [[nodiscard]] std::optional<std::vector<NiName>> reserve(std::uint64_t size);
    void release(std::uint64_t size);
    /// An object whose file is there; replaces what was known under its name. Does not end a
    /// reservation.
    void insert(ObjectMeta meta, bool is_verified);
    /// False if it was not there.
    bool erase(NiName const& name);

    /// Null if it is not there or has expired.
    [[nodiscard]] Entry* find(NiName const& name, UnixSeconds now);
    /// Somebody reads it: it becomes the last to go.
    void touch(Entry& entry, UnixSeconds now);
    /// What has expired, out of the table.
    [[nodiscard]] std::vector<NiName> expire(UnixSeconds now);

    /// The object of a channel with exactly these chunks; the newest if there are several.
    [[nodiscard]] std::optional<NiName> find_alias(Bytes swarm_id, ChunkRange chunks) const;
    /// A channel's objects by chunk number, the last `count_max` of them.
    [[nodiscard]] std::vector<Entry const*> objects_of(Bytes swarm_id, std::size_t count_max) const;
    /// Some entries for a status report, most recently used first.
    [[nodiscard]] std::vector<Entry const*> listed(std::string_view owner,
                                                   std::size_t count_max) const;

    [[nodiscard]] std::size_t count() const { return entries_.size(); }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }
    [[nodiscard]] std::uint64_t stored_by(std::string_view owner) const;
    [[nodiscard]] std::size_t swarm_count() const { return swarms_.size(); }

private:
    using Order = std::list<Entry>;
    using SwarmObjects = std::map<ChunkRange, NiName>;

    void drop(Order::iterator entry);
    void unlist(ObjectMeta const& meta);

    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
    std::uint64_t reserved_ = 0;
    Order order_; ///< longest unused first
    std::unordered_map<NiName, Order::iterator, decade::NiNameHash> entries_;
    std::multimap<UnixSeconds, NiName> expiries_;
    std::map<ByteVector, SwarmObjects> swarms_;
    std::map<std::string, std::uint64_t, std::less<>> stored_by_;
};

} // namespace ppsp::peer
