#include "protocol/integrity/key_file.hpp"

#include "protocol/base/assert.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ppsp::integrity {

namespace {

class File {
public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    ~File() { (void)close(); }
    File(File const&) = delete;
    File& operator=(File const&) = delete;

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

    [[nodiscard]] bool is_regular() const
    {
        struct stat status{};
        return ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    }

    /// Nullopt if reading fails; stops after one byte more than `size_max`.
    [[nodiscard]] std::optional<std::string> read(std::size_t size_max) const
    {
        std::string text(size_max + 1, '\0');
        std::size_t size = 0;
        while (size < text.size()) {
            ssize_t const count = ::read(descriptor_, text.data() + size, text.size() - size);
            if (count < 0 && errno != EINTR) {
                return std::nullopt;
            }
            if (count == 0) {
                break;
            }
            size += count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        text.resize(size);
        return text;
    }

    [[nodiscard]] bool write(std::string_view text) const
    {
        while (!text.empty()) {
            ssize_t const count = ::write(descriptor_, text.data(), text.size());
            if (count < 0 && errno != EINTR) {
                return false;
            }
            text.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        return ::fsync(descriptor_) == 0;
    }

    [[nodiscard]] bool close()
    {
        int const descriptor = std::exchange(descriptor_, -1);
        return descriptor < 0 || ::close(descriptor) == 0;
    }

private:
    int descriptor_;
};

KeyFileError to_file_error(KeyError error)
{
    return error == KeyError::wrong_kind ? KeyFileError::wrong_kind : KeyFileError::not_a_key;
}

} // namespace

std::string_view to_string(KeyFileError error)
{
    switch (error) {
    case KeyFileError::missing:
        return "does not exist; create a key first";
    case KeyFileError::unreadable:
        return "cannot be read; it must be a regular file that this user may read";
    case KeyFileError::not_a_key:
        return "holds no private key; expected unencrypted PEM";
    case KeyFileError::wrong_kind:
        return "holds a key of another kind; expected ECDSA P-256, ECDSA P-384 or Ed25519";
    case KeyFileError::exists:
        return "exists and is not replaced; move it away or choose another name";
    case KeyFileError::unwritable:
        return "cannot be written; check the directory, its permissions and the free space";
    }
    PPSP_ASSERT(false);
}

Result<PrivateKey, KeyFileError> load_key(std::filesystem::path const& path)
{
    // Without O_NONBLOCK a named pipe would stop us before we know that it is one.
    File const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.is_open()) {
        bool const is_missing = errno == ENOENT || errno == ENOTDIR;
        return failure(is_missing ? KeyFileError::missing : KeyFileError::unreadable);
    }
    auto const text = file.is_regular() ? file.read(key_file_size_max) : std::nullopt;
    if (!text) {
        return failure(KeyFileError::unreadable);
    }
    if (text->size() > key_file_size_max) {
        return failure(KeyFileError::not_a_key);
    }
    return PrivateKey::from_pem(*text).map_error(to_file_error);
}

Result<void, KeyFileError> save_key(std::filesystem::path const& path, PrivateKey const& key)
{
    // Written aside and then linked: link() is atomic and, unlike rename(), fails if the name is
    // taken. mkostemp() gives mode 0600 whatever the umask.
    std::string aside = path.string() + ".XXXXXX";
    File file(::mkostemp(aside.data(), O_CLOEXEC));
    if (!file.is_open()) {
        return failure(KeyFileError::unwritable);
    }
    bool const is_written = file.write(key.to_pem()) && file.close();
    bool const is_linked = is_written && ::link(aside.c_str(), path.c_str()) == 0;
    bool const is_taken = is_written && !is_linked && errno == EEXIST;
    (void)::unlink(aside.c_str());
    if (!is_linked) {
        return failure(is_taken ? KeyFileError::exists : KeyFileError::unwritable);
    }
    return {};
}

Result<PrivateKey, KeyFileError> create_key(std::filesystem::path const& path,
                                            wire::SignatureAlgorithm algorithm)
{
    auto key = PrivateKey::generate(algorithm).map_error(to_file_error);
    if (!key) {
        return key;
    }
    if (auto const saved = save_key(path, *key); !saved) {
        return failure(saved.error());
    }
    return key;
}

} // namespace ppsp::integrity
