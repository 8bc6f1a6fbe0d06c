//! What `deploy/build` makes, unpacked into folders that become a program's whole file system: nothing of this machine is seen there, and nothing is found that
//! a package or its platform does not bring.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::naming::sha256;
use crate::program::Setup;
use crate::{programs, scratch, tools};

/// Where a program stores, in its own file system.
pub const ARCHIVE: &str = "/archive";

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gcp,
    Image,
    Azure,
}

impl Kind {
    /// The word that asks for it, the name of its file, and that of the program in it.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::Gcp => ["gcp", "persistor-gcp-function.tar.gz", "persistor-gcp-function"],
            Self::Image => ["image", "persistor-gcp-function.oci.tar", "persistor-gcp-function"],
            Self::Azure => ["azure", "persistor-azure-function.zip", "persistor-azure-function"],
        }
    }

    pub fn word(self) -> &'static str {
        self.names()[0]
    }

    pub fn file(self) -> &'static str {
        self.names()[1]
    }

    pub fn program(self) -> &'static str {
        self.names()[2]
    }
}

/// Runs `deploy/build` with these arguments, or a skip.
///
/// # Panics
/// If Python does not run.
pub fn build(arguments: &[&Path]) -> Option<Output> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is a member").join("deploy/build");
    let mut command = Command::new(tools::python()?);
    Some(command.arg(build).args(arguments).output().expect("python runs"))
}

/// The folder with packages that were made for a release, where these are to be tested.
pub fn released() -> Option<PathBuf> {
    std::env::var_os("TEST_PACKAGES").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// A package: that of a release if there is one, else one of the programs that all tests run; or a skip.
///
/// # Panics
/// If it cannot be made.
pub fn made(kind: Kind, folder: &Path) -> Option<PathBuf> {
    let output = folder.join(kind.file());
    if let Some(released) = released() {
        fs::copy(released.join(kind.file()), &output).expect("the packages of a release are there");
        return Some(output);
    }
    // As small as a release, to which it is held.
    let program = folder.join(kind.program());
    let built = if kind == Kind::Azure { programs::azure_function() } else { programs::gcp_function() };
    run(Command::new("strip").arg("-o").arg(&program).arg(built));
    pack(kind, &program, &output)?;
    Some(output)
}

/// Packs a program, and gives what was said; or a skip. A program of a release is held to the floor of glibc.
///
/// # Panics
/// If that is refused.
pub fn pack(kind: Kind, program: &Path, output: &Path) -> Option<String> {
    let mut arguments = vec![Path::new(kind.word()), output, Path::new("--program"), program];
    if released().is_none() {
        arguments.push(Path::new("--any-glibc"));
    }
    let debs = debs()?;
    if kind == Kind::Image {
        arguments.extend([Path::new("--debs"), &debs]);
    }
    let made = build(&arguments)?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(String::from_utf8(made.stdout).expect("text"))
}

/// The folder with the Debian packages that a program and an image need, or a skip.
fn debs() -> Option<PathBuf> {
    let named = std::env::var_os("TEST_DEBS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| scratch::target().join("tools/debs"));
    if deb_files(&folder).is_empty() {
        tools::skip("the Debian packages libc6, libgcc-s1 and ca-certificates are missing (tests/run tools downloads them)");
        return None;
    }
    Some(folder)
}

fn deb_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("list").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect()
}

/// A program's whole file system, in a folder that is gone when dropped.
#[derive(Debug)]
pub struct Root(TempDir);

impl Root {
    fn empty() -> Self {
        let folder = scratch::folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self(folder)
    }

    /// One with Debian's C library and certificates, or a skip.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn debian() -> Option<Self> {
        may_change_root()?;
        let (root, debs) = (Self::empty(), debs()?);
        for deb in deb_files(&debs) {
            run(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(root.path()));
        }
        // In newer packages all is below /usr, and these links are part of the base system.
        for name in ["lib", "lib64"] {
            if !root.at(name).exists() {
                symlink(format!("usr/{name}"), root.at(name)).expect("link");
            }
        }
        // What the package's script does on installing.
        let mut certificates = Vec::new();
        for entry in fs::read_dir(root.at("usr/share/ca-certificates/mozilla")).expect("the certificates are there") {
            certificates.extend(fs::read(entry.expect("list").path()).expect("a certificate"));
        }
        fs::create_dir_all(root.at("etc/ssl/certs")).expect("a folder");
        fs::write(root.at("etc/ssl/certs/ca-certificates.crt"), certificates).expect("write");
        Some(root)
    }

    /// The file system of an image, and its configuration; or a skip. All that the archive says of itself is checked.
    ///
    /// # Panics
    /// If something in it is not as it says.
    pub fn image(archive: &Path) -> Option<(Self, Value)> {
        may_change_root()?;
        let unpacked = scratch::folder();
        run(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(unpacked.path()));
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
            let path = unpacked.path().join("blobs/sha256").join(digest);
            let bytes = fs::read(&path).expect("a blob");
            assert_eq!((sha256(&bytes), bytes.len() as u64), (digest.to_owned(), descriptor["size"].as_u64().expect("a size")));
            (path, bytes)
        };
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("it is JSON");
        let file = |name: &str| json(&fs::read(unpacked.path().join(name)).expect(name));
        assert_eq!(file("oci-layout")["imageLayoutVersion"], "1.0.0");
        let index = file("index.json");
        let [image] = &index["manifests"].as_array().expect("manifests")[..] else { panic!("not one image: {index}") };
        let manifest = json(&blob(image).1);
        let config = json(&blob(&manifest["config"]).1);
        let layers: Vec<_> = manifest["layers"].as_array().expect("layers").iter().map(|layer| blob(layer).0).collect();

        // What engines without OCI's layouts read.
        let docker = file("manifest.json");
        let relative = |path: &Path| path.strip_prefix(unpacked.path()).expect("it is below").to_str().expect("hex").to_owned();
        assert_eq!(docker[0]["Config"], relative(&blob(&manifest["config"]).0));
        assert_eq!(docker[0]["Layers"], Value::from(layers.iter().map(|layer| relative(layer)).collect::<Vec<_>>()));

        let root = Self::empty();
        let mut digests = Vec::new();
        for layer in layers {
            run(Command::new("tar")
                .args(["--extract", "--gzip", "--same-owner", "--same-permissions", "--file"])
                .arg(&layer)
                .arg("-C")
                .arg(root.path()));
            let tar = Command::new("gzip").arg("-dc").stdin(fs::File::open(layer).expect("a layer")).output().expect("gzip runs");
            digests.push(format!("sha256:{}", sha256(&tar.stdout)));
        }
        assert_eq!(config["rootfs"]["diff_ids"], Value::from(digests));
        Some((root, config))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in it, as seen from outside.
    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path.trim_start_matches('/'))
    }

    /// All that is in it, but folders: paths with their metadata, of links their own.
    ///
    /// # Panics
    /// If it cannot be listed.
    pub fn files(&self) -> BTreeMap<String, fs::Metadata> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("list") {
                let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().expect("list"))).expect("list");
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.strip_prefix(self.path()).expect("it is below").display().to_string(), metadata);
                }
            }
        }
        files
    }

    /// A program that is in it, as this user and nothing more, storing below [`ARCHIVE`], which is that user's as a volume would be.
    ///
    /// # Panics
    /// If the folder cannot be made.
    pub fn setup(&self, user: u32, program: &str) -> Setup {
        fs::create_dir_all(self.at(ARCHIVE)).expect("a folder");
        chown(self.at(ARCHIVE), Some(user), Some(user)).expect("root may");
        let chroot = ["/usr/sbin/chroot", "/usr/bin/chroot"].map(PathBuf::from).into_iter().find(|path| path.is_file());
        let setup = Setup::new(chroot.expect("coreutils are there"));
        let words =
            [format!("--userspec={user}:{user}"), "--groups=".to_owned(), self.path().display().to_string(), program.to_owned()];
        words.into_iter().fold(setup, Setup::argument).set("PERSISTOR_ARCHIVE", ARCHIVE)
    }
}

/// Unpacks a tar.gz or a zip with the modes that it says, into a folder that it makes.
///
/// # Panics
/// If it cannot be unpacked.
pub fn unpack(package: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    if package.extension().is_some_and(|extension| extension == "zip") {
        let script = "import os, sys, zipfile\n\
                      with zipfile.ZipFile(sys.argv[1]) as package:\n\
                      \x20   for entry in package.infolist():\n\
                      \x20       os.chmod(package.extract(entry, sys.argv[2]), entry.external_attr >> 16 & 0o7777)";
        run(Command::new(tools::python().expect("it packed")).args(["-c", script]).arg(package).arg(folder));
    } else {
        run(Command::new("tar")
            .args(["--extract", "--gzip", "--same-owner", "--same-permissions", "--file"])
            .arg(package)
            .arg("-C")
            .arg(folder));
    }
}

fn may_change_root() -> Option<()> {
    if !tools::is_root() {
        tools::skip("changing the root folder needs root");
        return None;
    }
    Some(())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
