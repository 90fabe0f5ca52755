#pragma once

#include "peer/decade/object_table.hpp"
#include "protocol/base/result.hpp"

#include <filesystem>
#include <memory>

namespace ppsp::peer {

enum class StoreError : std::uint8_t {
    missing,
    damaged,   ///< the file is not what was stored; it is gone now
    disk_full, ///< ENOSPC or EDQUOT
    failed,    ///< anything else that the system refused; its errno is in the log
};

/// An object's file that stays readable as long as this lives, also when the store dropped it.
class OpenObject {
public:
    explicit OpenObject(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size)
    {}
    ~OpenObject();
    OpenObject(OpenObject const&) = delete;
    OpenObject& operator=(OpenObject const&) = delete;

    [[nodiscard]] int descriptor() const { return descriptor_; }
    /// Of the object; the file goes on behind it.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// For small objects and checks; nullopt if the system refuses.
    [[nodiscard]] std::optional<ByteVector> read_all() const;

private:
    int descriptor_;
    std::uint64_t size_;
};

/// Objects on disk, one file each: the object's bytes, what is known about it as JSON, the size of
/// that (4 bytes) and a mark. A file is written aside, synced, renamed into its place, and its
/// folder synced: whatever ends the process or the machine, an object is there whole or not at all,
/// and once `write` returned it is there.
///
///     DIR/lock                   taken while a store uses the folder
///     DIR/aside/                 files that are not whole yet; emptied at the start
///     DIR/objects/Uy/UyaQV-...   by name
///     DIR/live/SWARM             signed live indexes
///     DIR/accounts               what tokens have used up
///
/// Calls for different names may run in parallel; two writes of one name store the same bytes.
class ObjectFiles {
public:
    /// Makes the folder if need be. The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<ObjectFiles>, std::string>
    open(std::filesystem::path const& folder);
    ~ObjectFiles();
    ObjectFiles(ObjectFiles const&) = delete;
    ObjectFiles& operator=(ObjectFiles const&) = delete;

    /// What is there, in no order. Removes what is not whole or has expired.
    [[nodiscard]] std::vector<ObjectMeta> scan(UnixSeconds now);
    [[nodiscard]] Result<void, StoreError> write(ObjectMeta const& meta, Bytes object);
    [[nodiscard]] Result<std::shared_ptr<OpenObject>, StoreError>
    open_object(ObjectMeta const& meta);
    /// Hashes the file; a damaged one is removed.
    [[nodiscard]] Result<void, StoreError> verify(ObjectMeta const& meta);
    /// `is_durable`: also after a loss of power it does not come back.
    void remove(NiName const& name, bool is_durable);

    /// Small texts beside the objects; whole or not there. They do not survive a loss of power.
    [[nodiscard]] Result<void, StoreError> write_live(Bytes swarm_id, std::string_view text);
    /// Swarm ids in hex and their texts, `size_max` each; for the start.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> read_live(std::size_t size_max);
    void remove_live(Bytes swarm_id);
    [[nodiscard]] Result<void, StoreError> write_accounts(std::string_view text);
    [[nodiscard]] std::string read_accounts();

private:
    ObjectFiles(std::filesystem::path folder, int lock) : folder_(std::move(folder)), lock_(lock) {}
    [[nodiscard]] std::filesystem::path path_of(NiName const& name) const;
    [[nodiscard]] Result<std::string, StoreError> write_aside(std::span<Bytes const> parts,
                                                              bool is_durable);
    [[nodiscard]] Result<void, StoreError> write_text(std::filesystem::path const& to,
                                                      std::string_view text);

    std::filesystem::path folder_;
    int lock_;
};

} // namespace ppsp::peer
