"""Say how much a visitor may ask for: all limits, in one place."""

MAX_PICTURES = 1000  # to learn from
MAX_PICTURE_BYTES = 15 * 2**20
MAX_PIXELS = 50_000_000  # of a picture, decoded: 150 MB as RGB
MAX_PICTURE_READS = 20_000  # Pillow makes three per chunk; 15 MB of PNG in 8 kB chunks needs 6,000
MAX_JPEG_SCANS = 50  # progressive files have about 10; each takes time over all pixels
MAX_EXIF_BLOCKS = 50  # a photo has one of up to 64 kB; each further one makes Pillow copy all
MAX_HEIC_HEAD_BYTES = 128 * 2**10  # a phone's has 5 kB; each picture in the file may copy all of it
MAX_SIDE_RATIO = 20  # a 1 x 10,000 strip, resized to 256 px across, would take 2 GB
MAX_REQUEST_BYTES = 2**20  # unless it is an upload; naming 1,000 pictures takes half of it
MAX_REQUEST_SECONDS = 60  # for such a request to arrive
MAX_LORA_BYTES = 48 * 2**20  # rank 64 on the pixels takes 37 MB
MAX_NEW_WORDS = 100
MAX_WORD_SIGNS = 40  # letters and the marks on them, in a new word
MAX_RANK = 64
MAX_STRENGTH = 2.0
MAX_EPOCHS = 1000
MAX_LEARNING_RATE = 1.0
MAX_WAITING = 200  # jobs in line
MAX_JOB_SECONDS = 600  # of work: one training with its tests, or one worker's share of the lab
MAX_AWAY_SECONDS = 60  # for which a job goes on while nobody looks
KEEP_SECONDS = 3600  # since a visitor was last seen
MAX_VISITORS = 500  # whose work is kept
MAX_RESULTS = 48  # trainings kept per visitor; each keeps its LoRA, up to 19 MB in the lab
MAX_VISITOR_BYTES = 256 * 2**20  # of LoRAs per visitor; beyond it the oldest results go
MAX_KEPT_BYTES = 2**30  # of everybody's LoRAs; beyond it the visitor who was away longest goes
