//! Files as `torch.save` writes them: a ZIP archive of a pickle (protocol 2) and the numbers of each tensor.
//!
//! The pickle is that of <https://docs.python.org/3/library/pickletools.html>; the calls in it are those of PyTorch's
//! `torch/serialization.py` and `torch/_utils.py`.

use std::path::Path;

use hemiola::checkpoint::NamedTensor;

const ARCHIVE: &str = "weights";

/// `torch.save({name: tensor, …}, path)`; with `inside`, `torch.save({"epoch": 3, inside: {name: tensor, …}}, path)`.
pub fn torch_save(path: &Path, tensors: &[NamedTensor], inside: Option<&str>) {
    let mut pickle = vec![0x80, 2];
    if let Some(key) = inside {
        pickle.extend(b"}(");
        string(&mut pickle, "epoch");
        pickle.extend(b"K\x03");
        string(&mut pickle, key);
    }
    pickle.extend(b"}(");
    for (number, tensor) in tensors.iter().enumerate() {
        string(&mut pickle, &tensor.name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        string(&mut pickle, "storage");
        pickle.extend(b"ctorch\nFloatStorage\n");
        string(&mut pickle, &number.to_string());
        string(&mut pickle, "cpu");
        integer(&mut pickle, tensor.values.len());
        // The persistent id, then the offset into the storage.
        pickle.extend(b"tQK\x00");
        tuple(&mut pickle, &tensor.shape);
        let mut strides: Vec<usize> = Vec::new();
        for axis in 0..tensor.shape.len() {
            strides.push(tensor.shape[axis + 1..].iter().product());
        }
        tuple(&mut pickle, &strides);
        // No gradient, no hooks.
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    pickle.extend(b"u");
    if inside.is_some() {
        pickle.extend(b"u");
    }
    pickle.push(b'.');

    let mut zip = Zip::default();
    zip.add(&format!("{ARCHIVE}/data.pkl"), &pickle);
    zip.add(&format!("{ARCHIVE}/byteorder"), b"little");
    for (number, tensor) in tensors.iter().enumerate() {
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        zip.add(&format!("{ARCHIVE}/data/{number}"), &bytes);
    }
    zip.add(&format!("{ARCHIVE}/version"), b"3\n");
    std::fs::write(path, zip.finish()).unwrap();
}

fn string(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn integer(pickle: &mut Vec<u8>, number: usize) {
    pickle.push(b'J');
    pickle.extend((number as i32).to_le_bytes());
}

fn tuple(pickle: &mut Vec<u8>, numbers: &[usize]) {
    pickle.push(b'(');
    for &number in numbers {
        integer(pickle, number);
    }
    pickle.push(b't');
}

/// An archive without compression (APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16).
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    fn add(&mut self, name: &str, content: &[u8]) {
        let offset = self.bytes.len() as u32;
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        common.extend(crc32(content).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&common);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(content);
        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&common);
        self.directory.extend([0; 10]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let start = self.bytes.len() as u32;
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes.extend(self.count.to_le_bytes());
        self.bytes
            .extend((self.directory.len() as u32).to_le_bytes());
        self.bytes.extend(start.to_le_bytes());
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
