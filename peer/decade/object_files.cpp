#include "peer/decade/object_files.hpp"

#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/ppstp/json_writer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view mark = "PPSCACH1";
constexpr std::size_t trailer_size = 4 + mark.size();
constexpr std::size_t footer_size_max = 8 * 1024;

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor()
    {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    Descriptor(Descriptor const&) = delete;
    Descriptor& operator=(Descriptor const&) = delete;

    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] bool is_open() const { return number_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

StoreError last_error()
{
    return errno == ENOSPC || errno == EDQUOT ? StoreError::disk_full
           : errno == ENOENT                  ? StoreError::missing
                                              : StoreError::failed;
}

bool write_all(int descriptor, Bytes bytes)
{
    while (!bytes.empty()) {
        auto const count = ::write(descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) {
            return false;
        }
        bytes = bytes.subspan(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return true;
}

bool read_at(int descriptor, std::uint64_t offset, MutableBytes into)
{
    while (!into.empty()) {
        auto const count =
            ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(offset));
        if (count == 0 || (count < 0 && errno != EINTR)) {
            return false;
        }
        auto const got = count > 0 ? static_cast<std::size_t>(count) : 0;
        into = into.subspan(got);
        offset += got;
    }
    return true;
}

bool sync_folder(fs::path const& folder)
{
    Descriptor const descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return descriptor.is_open() && ::fsync(descriptor.number()) == 0;
}

std::string to_footer(ObjectMeta const& meta)
{
    ppstp::JsonWriter writer;
    writer.begin_object()
        .member("name", meta.name.uri())
        .member("size", meta.size)
        .member("stored", static_cast<std::uint64_t>(std::max<UnixSeconds>(meta.stored_at, 0)))
        .member("expires", static_cast<std::uint64_t>(std::max<UnixSeconds>(meta.expires, 0)))
        .member("type", meta.media_type)
        .member("owner", meta.owner);
    if (!meta.swarm_id.empty() && meta.chunks) {
        writer.member("swarm", to_hex(meta.swarm_id))
            .member("first", to_number(meta.chunks->first))
            .member("last", to_number(meta.chunks->last));
    }
    writer.end_object();
    auto text = writer.take();
    ByteVector size;
    ByteWriter(size).u32(static_cast<std::uint32_t>(text.size()));
    text.append(size.begin(), size.end());
    return text.append(mark);
}

std::uint64_t number_in(json::object const& object, char const* name)
{
    return object.at(name).to_number<std::uint64_t>();
}

std::string text_in(json::object const& object, char const* name)
{
    auto const& text = object.at(name).as_string();
    return {text.data(), text.size()};
}

/// Nullopt for anything this code did not write.
std::optional<ObjectMeta> from_footer(std::string_view text)
{
    try {
        auto const value = json::parse(json::string_view(text.data(), text.size()));
        auto const& object = value.as_object();
        auto const name = NiName::parse_uri(text_in(object, "name"));
        if (!name) {
            return std::nullopt;
        }
        ObjectMeta meta{*name,
                        number_in(object, "size"),
                        static_cast<UnixSeconds>(number_in(object, "stored")),
                        static_cast<UnixSeconds>(number_in(object, "expires")),
                        text_in(object, "type"),
                        {},
                        {},
                        text_in(object, "owner")};
        if (object.contains("swarm")) {
            meta.swarm_id = from_hex(text_in(object, "swarm")).value_or(ByteVector{});
            meta.chunks =
                ChunkRange{ChunkId{number_in(object, "first")}, ChunkId{number_in(object, "last")}};
        }
        return meta;
    } catch (std::exception const&) {
        return std::nullopt;
    }
}

std::optional<ObjectMeta> read_meta(fs::path const& path)
{
    Descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status{};
    if (!file.is_open() || ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::size_t>(status.st_size) < trailer_size) {
        return std::nullopt;
    }
    auto const size = static_cast<std::uint64_t>(status.st_size);
    ByteVector trailer(trailer_size);
    if (!read_at(file.number(), size - trailer_size, trailer)) {
        return std::nullopt;
    }
    ByteReader reader(trailer);
    std::uint64_t const footer_size = *reader.u32();
    bool const is_marked = std::equal(mark.begin(), mark.end(), trailer.begin() + 4);
    if (!is_marked || footer_size > footer_size_max || footer_size + trailer_size > size) {
        return std::nullopt;
    }
    std::string footer(footer_size, '\0');
    MutableBytes const into(reinterpret_cast<std::uint8_t*>(footer.data()), footer.size());
    auto const meta = read_at(file.number(), size - trailer_size - footer_size, into)
                          ? from_footer(footer)
                          : std::nullopt;
    bool const fits = meta && meta->size + footer_size + trailer_size == size &&
                      meta->name.value_text() == path.filename().string();
    return fits ? meta : std::nullopt;
}

std::string read_text(fs::path const& path, std::size_t size_max)
{
    Descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status{};
    if (!file.is_open() || ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_size) > size_max) {
        return {};
    }
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    MutableBytes const into(reinterpret_cast<std::uint8_t*>(text.data()), text.size());
    return read_at(file.number(), 0, into) ? text : std::string{};
}

std::string system_sentence(std::string const& what)
{
    return what + ": " + std::strerror(errno);
}

void remove_files_in(fs::path const& folder)
{
    std::error_code ignored;
    for (auto const& entry : fs::directory_iterator(folder, ignored)) {
        fs::remove(entry.path(), ignored);
    }
}

} // namespace

OpenObject::~OpenObject()
{
    ::close(descriptor_);
}

std::optional<ByteVector> OpenObject::read_all() const
{
    ByteVector bytes(size_);
    return read_at(descriptor_, 0, bytes) ? std::optional(std::move(bytes)) : std::nullopt;
}

Result<std::unique_ptr<ObjectFiles>, std::string> ObjectFiles::open(fs::path const& folder)
{
    std::error_code error;
    for (auto const* part : {"aside", "objects", "live"}) {
        fs::create_directories(folder / part, error);
        if (error) {
            return failure("cannot make the folder " + (folder / part).string() + ": " +
                           error.message());
        }
    }
    auto const lock_path = folder / "lock";
    Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.is_open()) {
        return failure(system_sentence("cannot write in the folder " + folder.string()));
    }
    if (::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
        return failure("another ppsp-cache uses the folder " + folder.string());
    }
    remove_files_in(folder / "aside");
    return std::unique_ptr<ObjectFiles>(new ObjectFiles(folder, lock.release()));
}

ObjectFiles::~ObjectFiles()
{
    ::close(lock_);
}

fs::path ObjectFiles::path_of(NiName const& name) const
{
    auto const value = name.value_text();
    return folder_ / "objects" / value.substr(0, 2) / value;
}

std::vector<ObjectMeta> ObjectFiles::scan(UnixSeconds now)
{
    std::vector<ObjectMeta> found;
    std::error_code error;
    for (auto const& shard : fs::directory_iterator(folder_ / "objects", error)) {
        std::error_code shard_error;
        for (auto const& entry : fs::directory_iterator(shard.path(), shard_error)) {
            auto meta = read_meta(entry.path());
            if (meta && meta->expires > now) {
                found.push_back(std::move(*meta));
            } else {
                fs::remove(entry.path(), shard_error);
            }
        }
    }
    return found;
}

Result<std::string, StoreError> ObjectFiles::write_aside(std::span<Bytes const> parts,
                                                         bool is_durable)
{
    auto path = (folder_ / "aside" / "XXXXXX").string();
    Descriptor file(::mkostemp(path.data(), O_CLOEXEC));
    if (!file.is_open()) {
        return failure(last_error());
    }
    bool is_good = ::fchmod(file.number(), 0644) == 0;
    for (auto const part : parts) {
        is_good = is_good && write_all(file.number(), part);
    }
    is_good = is_good && (!is_durable || ::fsync(file.number()) == 0);
    // Some file systems tell of a full disk only when the file is closed.
    auto const error = last_error();
    bool const is_closed = ::close(file.release()) == 0;
    if (!is_good || !is_closed) {
        auto const reason = is_good ? last_error() : error;
        ::unlink(path.c_str());
        return failure(reason);
    }
    return path;
}

Result<void, StoreError> ObjectFiles::write(ObjectMeta const& meta, Bytes object)
{
    auto const footer = to_footer(meta);
    std::array const parts{object, as_bytes(footer)};
    auto const aside = write_aside(parts, true);
    if (!aside) {
        return failure(aside.error());
    }
    auto const path = path_of(meta.name);
    auto const folder = path.parent_path();
    bool const is_new = ::mkdir(folder.c_str(), 0755) == 0;
    bool const has_folder = is_new || errno == EEXIST;
    bool const is_there = has_folder && (!is_new || sync_folder(folder.parent_path())) &&
                          ::rename(aside->c_str(), path.c_str()) == 0 && sync_folder(folder);
    if (!is_there) {
        auto const error = last_error();
        ::unlink(aside->c_str());
        return failure(error);
    }
    return {};
}

Result<std::shared_ptr<OpenObject>, StoreError> ObjectFiles::open_object(ObjectMeta const& meta)
{
    int const descriptor = ::open(path_of(meta.name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) {
        return failure(last_error());
    }
    return std::make_shared<OpenObject>(descriptor, meta.size);
}

Result<void, StoreError> ObjectFiles::verify(ObjectMeta const& meta)
{
    auto const file = open_object(meta);
    if (!file) {
        return failure(file.error());
    }
    auto const bytes = (*file)->read_all();
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    if (!bytes || NiName::of(*hasher, *bytes, meta.name.algorithm()) != meta.name) {
        remove(meta.name, false);
        return failure(StoreError::damaged);
    }
    return {};
}

void ObjectFiles::remove(NiName const& name, bool is_durable)
{
    auto const path = path_of(name);
    ::unlink(path.c_str());
    if (is_durable) {
        static_cast<void>(sync_folder(path.parent_path()));
    }
}

Result<void, StoreError> ObjectFiles::write_text(fs::path const& to, std::string_view text)
{
    std::array const parts{as_bytes(text)};
    auto const aside = write_aside(parts, false);
    if (!aside) {
        return failure(aside.error());
    }
    if (::rename(aside->c_str(), to.c_str()) != 0) {
        auto const error = last_error();
        ::unlink(aside->c_str());
        return failure(error);
    }
    return {};
}

Result<void, StoreError> ObjectFiles::write_live(Bytes swarm_id, std::string_view text)
{
    return write_text(folder_ / "live" / to_hex(swarm_id), text);
}

void ObjectFiles::remove_live(Bytes swarm_id)
{
    ::unlink((folder_ / "live" / to_hex(swarm_id)).c_str());
}

std::vector<std::pair<std::string, std::string>> ObjectFiles::read_live(std::size_t size_max)
{
    std::vector<std::pair<std::string, std::string>> texts;
    std::error_code error;
    for (auto const& entry : fs::directory_iterator(folder_ / "live", error)) {
        texts.emplace_back(entry.path().filename().string(), read_text(entry.path(), size_max));
    }
    return texts;
}

Result<void, StoreError> ObjectFiles::write_accounts(std::string_view text)
{
    return write_text(folder_ / "accounts", text);
}

std::string ObjectFiles::read_accounts()
{
    constexpr std::size_t accounts_size_max = 64 * 1024 * 1024;
    return read_text(folder_ / "accounts", accounts_size_max);
}

} // namespace ppsp::peer
